/** A change before it is done, while it is done, and why it was not. */
import * as React from 'react';

import type { Changes, Pending } from '../changes';
import { ago, short } from '../words';
import { Button, Notice } from './parts';
import { useServices } from './services';

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
    // The focus follows the question; a step of the work does not move it.
    if (phase !== 'working' && phase !== 'loading') box.current?.focus({ preventScroll: true });
    box.current?.scrollIntoView({ block: 'nearest' });
  }, [phase, number]);
  const title = pending.title || titleOf(trans, pending);
  const heads = {
    loading: trans.__('Looking at what would change: %1', title),
    preview: trans.__('Before you confirm: %1', title),
    working: trans.__('Working: %1', title),
    failed: trans.__('Not done: %1', title),
    conflict: trans.__('Somebody was faster: %1', title)
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
      <h4>{heads[phase]}</h4>
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
  const [reason, setReason] = React.useState('');
  return (
    <form
      className="nbd-Pending-form"
      onSubmit={event => {
        event.preventDefault();
        void changes.confirm(reason.trim());
      }}
    >
      <input
        type="text"
        value={reason}
        aria-label={trans.__('Why (optional)')}
        placeholder={trans.__('Why? (optional)')}
        onChange={event => {
          setReason(event.target.value);
        }}
      />
      <div className="nbd-row">
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
      </div>
    </form>
  );
}

function Failed(props: { pending: Pending; changes: Changes }): React.JSX.Element {
  const { pending, changes } = props;
  const { trans, openReport } = useServices();
  const [why, setWhy] = React.useState('');
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
        <form
          className="nbd-Pending-form"
          onSubmit={event => {
            event.preventDefault();
            void changes.force(why);
          }}
        >
          <input
            type="text"
            value={why}
            aria-label={trans.__('Why it is done all the same')}
            placeholder={trans.__('Why? (kept for good)')}
            onChange={event => {
              setWhy(event.target.value);
            }}
          />
          <div className="nbd-row">
            <Button type="submit" look="danger" disabled={!why.trim()}>
              {trans.__('Do it all the same')}
            </Button>
          </div>
        </form>
      )}
    </>
  );
}

/** Who changed what meanwhile; what the user wanted is kept. */
function Newer(props: { pending: Pending; now: number }): React.JSX.Element {
  const { pending, now } = props;
  const { trans } = useServices();
  const latest = pending.newer[0]?.revision ?? pending.revision;
  return (
    <>
      <div className="nbd-Notice" role="alert">
        <p className="nbd-Notice-what">
          {trans.__(
            'Not done: it is at revision %1 by now, you saw revision %2.',
            latest,
            pending.revision
          )}
        </p>
        <p>→ {trans.__('See what changed, and look again at what yours would do.')}</p>
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

/** What is left to do with a change that did not come. */
function AgainOrNot({ changes }: { changes: Changes }): React.JSX.Element {
  const { trans } = useServices();
  return (
    <>
      <Button look="primary" onClick={() => void changes.previewAgain()}>
        {trans.__('Look again')}
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
