/** Alarms: when, what, how sure, and what to do. */
import * as React from 'react';

import type { Exported, MonitorAlarm, MonitorView } from '../../generated';
import { problemOf } from '../../transport/problem';
import { clock } from '../../words';
import { type Filter, NO_FILTER } from '../records/recordFilters';
import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

const MOST = 10;

export interface AlarmActions {
  /** Opens the records that match. */
  readonly showRecords: (filter: Filter) => void;
  /** Asks for a rollback; null: there is no earlier revision. */
  readonly rollBack: (() => void) | null;
}

export function Alarms(props: {
  name: string;
  shown: MonitorView;
  actions: AlarmActions;
}): React.JSX.Element {
  const { name, shown, actions } = props;
  const { trans } = useServices();
  const { alarms } = shown;
  const [all, setAll] = React.useState(false);
  return (
    <section
      className="nbd-Alarms"
      aria-label={trans.__('Alarms')}
      data-alarmed={alarms.length > 0}
    >
      <h3>
        {alarms.length > 0
          ? trans._n('%1 alarm', '%1 alarms', alarms.length)
          : trans.__('No alarm')}
      </h3>
      {alarms.length === 0 && <p className="nbd-faint">{quiet(trans.__.bind(trans), shown)}</p>}
      {alarms.length > 0 && (
        <ul>
          {(all ? alarms : alarms.slice(0, MOST)).map(alarm => (
            <Alarm
              key={`${alarm.kind} ${alarm.at} ${alarm.words}`}
              name={name}
              alarm={alarm}
              actions={actions}
            />
          ))}
        </ul>
      )}
      {!all && alarms.length > MOST && (
        <Button
          look="quiet"
          onClick={() => {
            setAll(true);
          }}
        >
          {trans.__('Show all %1', alarms.length)}
        </Button>
      )}
      {shown.reference.length > 0 && (
        <details className="nbd-faint">
          <summary>{trans.__('How sure is an alarm?')}</summary>
          <ul>
            {shown.reference.map(line => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function quiet(__: (text: string) => string, shown: MonitorView): string {
  if (shown.state === 'watching') {
    return __('Inputs and answers of this range are watched against the reference.');
  }
  return shown.state === 'collecting'
    ? __(
        'The reference is collected from the first requests, since the training table is not known.'
      )
    : __('Nothing is watched: no requests were recorded with their inputs.');
}

function Alarm(props: {
  name: string;
  alarm: MonitorAlarm;
  actions: AlarmActions;
}): React.JSX.Element {
  const { name, alarm, actions } = props;
  const { trans, insertCell, copy, say } = useServices();
  const range = { since: alarm.since, until: alarm.until ?? '' };
  const { words, write } = useNotebook(name, range);
  const cell = () => {
    const until = alarm.until === null ? '' : `, until="${alarm.until}"`;
    const source = `from jupyter_deploy import recorded

rows = recorded("${name}", since="${alarm.since}"${until})  # the rows behind the alarm: ${alarm.release}
rows`;
    if (insertCell(source)) {
      say(trans.__('Inserted below the active cell'));
      return;
    }
    void copy(source).then(done => {
      say(done ? trans.__('Copied: paste it into a cell') : trans.__('Not copied'));
    });
  };
  return (
    <li className="nbd-Alarm" data-kind={alarm.kind}>
      <p>
        <i aria-hidden="true">▲</i>{' '}
        <strong>{alarm.kind === 'drift' ? trans.__('Drift') : trans.__('Quality')}</strong>{' '}
        <time dateTime={alarm.at}>{clock(alarm.at)}</time>
      </p>
      <p>{alarm.words}</p>
      <p className="nbd-faint">{trans.__('How sure: %1', alarm.sure)}</p>
      <div className="nbd-row nbd-mod-wrap" role="group" aria-label={trans.__('What to do')}>
        <Button
          title={trans.__('The requests since the drift began')}
          onClick={() => {
            actions.showRecords({
              ...NO_FILTER,
              ...range,
              release: alarm.release,
              status: alarm.status === null ? '' : String(alarm.status)
            });
          }}
        >
          {trans.__('Show the records')}
        </Button>
        <Button
          title={trans.__('A new notebook in the folder, which opens these rows as a data frame')}
          onClick={() => void write()}
        >
          {trans.__('Make a notebook')}
        </Button>
        <Button title={trans.__('A cell with these rows, to train again with them')} onClick={cell}>
          {trans.__('Insert a cell')}
        </Button>
        {actions.rollBack && (
          <Button title={trans.__('Shows the change before it is made')} onClick={actions.rollBack}>
            {trans.__('Roll back…')}
          </Button>
        )}
      </div>
      <p role="status" className="nbd-faint nbd-breaks">
        {words}
      </p>
    </li>
  );
}

/** Writes a notebook that opens the rows of a range, and opens it if the host can. */
function useNotebook(
  name: string,
  range: { since: string; until: string }
): { words: string; write: () => Promise<void> } {
  const { trans, call, fetchFile } = useServices();
  const [words, setWords] = React.useState('');
  const { since, until } = range;
  const write = async (): Promise<void> => {
    const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
    const file = `${name}-alarm-${stamp}.ipynb`;
    try {
      const done = await call<Exported>('logs', {
        name,
        export: file,
        since,
        ...(until && { until })
      });
      setWords(trans.__('Written: %1', done.file));
      await fetchFile?.(done.file);
    } catch (error) {
      const { message, remedy } = problemOf(error);
      setWords([message, remedy].filter(Boolean).join('; '));
    }
  };
  return { words, write };
}
