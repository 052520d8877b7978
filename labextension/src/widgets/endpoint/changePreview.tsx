/**
 * A pending change: its preview, its progress, or its failure. A change that affects clients is a
 * dialog; while it is made, the dialog can be hidden, and a line above the sections shows it.
 */
import * as React from 'react';

import type { Changes, Pending } from '../../changes';
import type { EndpointView, RoleEvidence } from '../../generated';
import { inForms } from '../../namedCommands';
import { ago, roleName, short } from '../../words';
import { Modal } from '../ui/modal';
import { Button, Notice } from '../ui/parts';
import { useServices } from '../ui/services';
import { RollbackChoices } from './rollbackChoices';

interface Props {
  readonly pending: Pending;
  readonly changes: Changes;
  readonly view: EndpointView;
  readonly now: number;
}

export function ChangePreview(props: Props): React.JSX.Element {
  const { pending, changes } = props;
  const { trans } = useServices();
  const [hidden, setHidden] = React.useState(0);
  const title = pending.title || titleOf(trans, pending);
  const working = isWorking(pending);
  const waits = pending.phase === 'working';
  const hide = (): void => {
    setHidden(pending.number);
  };
  if (pending.asks && hidden !== pending.number) {
    return (
      <Modal
        label={title}
        busy={working}
        onClose={() => {
          if (waits) hide();
          else changes.dismiss();
        }}
      >
        <div className="nbd-Pending" data-phase={pending.phase}>
          <Content {...props} title={title} onReport={hide} />
          {waits && (
            <div className="nbd-row">
              <Button onClick={hide}>{trans.__('Hide')}</Button>
              <span className="nbd-faint">{trans.__('The change goes on.')}</span>
            </div>
          )}
        </div>
      </Modal>
    );
  }
  return (
    <div
      className="nbd-Pending nbd-mod-strip"
      data-phase={pending.phase}
      role="group"
      aria-label={title}
      aria-busy={working}
    >
      {pending.asks && !working ? (
        <div className="nbd-row nbd-mod-wrap">
          <strong role="alert">{headOf(trans, pending, title)}</strong>
          <Button
            className="nbd-mod-right"
            onClick={() => {
              setHidden(0);
            }}
          >
            {trans.__('Show')}
          </Button>
        </div>
      ) : (
        <Content {...props} title={title} />
      )}
    </div>
  );
}

/** `onReport`: a report is opened, which the dialog would cover; without it there is no dialog. */
function Content(props: Props & { title: string; onReport?: () => void }): React.JSX.Element {
  const { pending, changes, view, now, title, onReport } = props;
  const dialog = onReport !== undefined;
  const { trans } = useServices();
  const box = React.useRef<HTMLDivElement>(null);
  const { phase, number } = pending;
  React.useEffect(() => {
    // The focus follows a failure; a control that was used meanwhile keeps it.
    const within = box.current?.contains(document.activeElement) ?? false;
    const failed = phase === 'failed' || phase === 'conflict';
    if (dialog ? failed || !within : failed) box.current?.focus({ preventScroll: true });
    if (!dialog) box.current?.scrollIntoView({ block: 'nearest' });
  }, [phase, number, dialog]);
  const rollback = pending.verb === 'rollback' && phase !== 'working' && phase !== 'conflict';
  return (
    <div ref={box} className="nbd-Pending-content" tabIndex={-1}>
      <h3>{headOf(trans, pending, title)}</h3>
      {rollback && <RollbackChoices pending={pending} changes={changes} view={view} now={now} />}
      {phase === 'conflict' ? (
        <Newer pending={pending} now={now} />
      ) : (
        <Difference pending={pending} />
      )}
      {phase === 'preview' && <Confirm changes={changes} />}
      {phase === 'failed' && pending.problem && (
        <Failed pending={pending} changes={changes} onReport={onReport} />
      )}
      {phase === 'conflict' && (
        <div className="nbd-row">
          <AgainOrNot changes={changes} />
        </div>
      )}
      {phase === 'working' && pending.step && <p>{pending.step} …</p>}
      {isWorking(pending) && <progress aria-label={trans.__('Working')} />}
    </div>
  );
}

function isWorking(pending: Pending): boolean {
  return pending.phase === 'working' || pending.phase === 'loading';
}

function headOf(
  trans: ReturnType<typeof useServices>['trans'],
  pending: Pending,
  title: string
): string {
  return {
    loading: trans.__('Loading the preview: %1', title),
    preview: trans.__('Preview: %1', title),
    working: trans.__('In progress: %1', title),
    failed: trans.__('Failed: %1', title),
    conflict: trans.__('Conflict: %1', title)
  }[pending.phase];
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
      {pending.evidence.map(one => (
        <Said key={one.role} evidence={one} alone={pending.evidence.length === 1} />
      ))}
      {pending.notes.map((note, i) => (
        <p key={i}>{note}</p>
      ))}
    </>
  );
}

/** One comparison; if there are two, with the role in which the candidate was compared. */
function Said(props: { evidence: RoleEvidence; alone: boolean }): React.JSX.Element {
  const { evidence, alone } = props;
  const { trans } = useServices();
  return (
    <p className="nbd-Verdict" data-verdict={evidence.verdict}>
      {!alone && <strong>{trans.__('As the %1:', roleName(trans, evidence.role))} </strong>}
      {inForms(evidence.reason)}
    </p>
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

function Failed(props: {
  pending: Pending;
  changes: Changes;
  onReport?: (() => void) | undefined;
}): React.JSX.Element {
  const { pending, changes, onReport } = props;
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
              onReport?.();
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
