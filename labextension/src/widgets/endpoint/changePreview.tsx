/** A pending change: its preview, its progress, or its failure. */
import * as React from 'react';

import type { Changes, Pending } from '../../changes';
import { ago, short } from '../../words';
import { Button, Notice } from '../ui/parts';
import { useServices } from '../ui/services';

export function ChangePreview(props: {
  pending: Pending;
  changes: Changes;
  now: number;
}): React.JSX.Element {
  const { pending, changes, now } = props;
  const { trans } = useServices();
  const box = React.useRef<HTMLDivElement>(null);
  const { phase, number } = pending;
  React.useEffect(() => {
    // The focus follows the question; a step of a running change does not move it.
    if (phase !== 'working' && phase !== 'loading') box.current?.focus({ preventScroll: true });
    box.current?.scrollIntoView({ block: 'nearest' });
  }, [phase, number]);
  const title = pending.title || titleOf(trans, pending);
  const heads = {
    loading: trans.__('Loading the preview: %1', title),
    preview: trans.__('Preview: %1', title),
    working: trans.__('In progress: %1', title),
    failed: trans.__('Failed: %1', title),
    conflict: trans.__('Conflict: %1', title)
  };
  const working = phase === 'working' || phase === 'loading';
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Escape, wherever the focus is within
    <div
      ref={box}
      className="nbd-Pending"
      data-phase={phase}
      role="group"
      aria-label={title}
      aria-busy={working}
      tabIndex={-1}
      onKeyDown={event => {
        if (event.key === 'Escape' && phase !== 'working') {
          event.stopPropagation();
          changes.dismiss();
        }
      }}
    >
      <h3>{heads[phase]}</h3>
      {phase === 'conflict' ? (
        <Newer pending={pending} now={now} />
      ) : (
        <Difference pending={pending} />
      )}
      {phase === 'preview' && <Confirm changes={changes} />}
      {phase === 'failed' && pending.problem && <Failed pending={pending} changes={changes} />}
      {phase === 'conflict' && (
        <div className="nbd-row">
          <AgainOrNot changes={changes} />
        </div>
      )}
      {phase === 'working' && pending.step && <p>{pending.step} …</p>}
      {working && <progress aria-label={trans.__('Working')} />}
    </div>
  );
}

function titleOf(trans: ReturnType<typeof useServices>['trans'], pending: Pending): string {
  const names = {
    promote: trans.__('Promote'),
    rollback: trans.__('Roll back'),
    stop: trans.__('Stop'),
    delete: trans.__('Delete'),
    traffic: trans.__('Set the traffic')
  };
  const tags = [pending.fields.shadow, pending.fields.canary].flatMap(shares =>
    typeof shares === 'object' && shares !== null ? Object.keys(shares) : []
  );
  return [names[pending.verb], ...tags.map(short)].join(' ');
}

function Difference(props: { pending: Pending }): React.JSX.Element {
  const { pending } = props;
  return (
    <>
      {pending.rows.length > 0 && (
        <table className="nbd-Difference">
          <tbody>
            {pending.rows.map(row => (
              <tr key={row.tag} className={row.before === row.after ? 'nbd-faint' : undefined}>
                <th scope="row" title={row.tag}>
                  {short(row.tag)}
                </th>
                <td>{row.before}</td>
                <td aria-hidden="true">→</td>
                <td>{row.after}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {pending.comparison && (
        <p className="nbd-Verdict" data-verdict={pending.verdict}>
          {pending.comparison}
        </p>
      )}
      {pending.notes.map((note, i) => (
        <p key={i}>{note}</p>
      ))}
    </>
  );
}

function Confirm(props: { changes: Changes }): React.JSX.Element {
  const { changes } = props;
  const { trans } = useServices();
  return (
    <ReasonForm
      label={trans.__('Reason (optional)')}
      placeholder={trans.__('Reason (optional)')}
      onReason={reason => void changes.confirm(reason)}
    >
      {() => (
        <>
          <Button type="submit" look="primary">
            {trans.__('Confirm')}
          </Button>
          <Button
            onClick={() => {
              changes.dismiss();
            }}
          >
            {trans.__('Cancel')}
          </Button>
        </>
      )}
    </ReasonForm>
  );
}

/** A field for the reason, with the buttons that use it. */
function ReasonForm(props: {
  label: string;
  placeholder: string;
  onReason: (reason: string) => void;
  children: (reason: string) => React.ReactNode;
}): React.JSX.Element {
  const [reason, setReason] = React.useState('');
  return (
    <form
      className="nbd-Pending-form"
      onSubmit={event => {
        event.preventDefault();
        props.onReason(reason.trim());
      }}
    >
      <input
        type="text"
        value={reason}
        aria-label={props.label}
        placeholder={props.placeholder}
        onChange={event => {
          setReason(event.target.value);
        }}
      />
      <div className="nbd-row">{props.children(reason.trim())}</div>
    </form>
  );
}

function Failed(props: { pending: Pending; changes: Changes }): React.JSX.Element {
  const { pending, changes } = props;
  const { trans, openReport } = useServices();
  const problem = pending.problem;
  if (!problem) return <></>;
  return (
    <>
      <Notice problem={problem} />
      <div className="nbd-row">
        <AgainOrNot changes={changes} />
        {problem.report && (
          <Button
            onClick={() => {
              openReport({ job: problem.report }, trans.__('Report on %1', pending.title));
            }}
          >
            {trans.__('Report')}
          </Button>
        )}
      </div>
      {problem.gates && (
        <ReasonForm
          label={trans.__('Reason for the override')}
          placeholder={trans.__('Reason (stored permanently)')}
          onReason={reason => void changes.force(reason)}
        >
          {reason => (
            <Button type="submit" look="danger" disabled={reason === ''}>
              {trans.__('Override the gates')}
            </Button>
          )}
        </ReasonForm>
      )}
    </>
  );
}

/** The newer revisions; the pending change is kept. */
function Newer(props: { pending: Pending; now: number }): React.JSX.Element {
  const { pending, now } = props;
  const { trans } = useServices();
  const latest = pending.newer[0]?.revision ?? pending.revision;
  return (
    <>
      <div className="nbd-Notice" role="alert">
        <p className="nbd-Notice-what">
          {trans.__(
            'The endpoint is at revision %1, you saw revision %2: nothing was changed.',
            latest,
            pending.revision
          )}
        </p>
        <p>→ {trans.__('Review the newer revisions, then refresh the preview.')}</p>
      </div>
      <ul className="nbd-Newer">
        {pending.newer.map(row => (
          <li key={row.revision}>
            <b>{trans.__('revision %1', row.revision)}</b>{' '}
            {trans.__('by %1, %2: %3', row.by, ago(trans, row.at, now), row.what)}
            {row.reason ? ` (${row.reason})` : ''}
          </li>
        ))}
      </ul>
    </>
  );
}

/** The actions for a change that failed. */
function AgainOrNot({ changes }: { changes: Changes }): React.JSX.Element {
  const { trans } = useServices();
  return (
    <>
      <Button look="primary" onClick={() => void changes.previewAgain()}>
        {trans.__('Refresh')}
      </Button>
      <Button
        onClick={() => {
          changes.dismiss();
        }}
      >
        {trans.__('Discard')}
      </Button>
    </>
  );
}
