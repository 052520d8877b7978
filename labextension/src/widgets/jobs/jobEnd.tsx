import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import {
  type Deployment,
  type Finding,
  type Job,
  labelsOf,
  type ModelSearchResult,
  type Problem,
  type Published as Publication
} from '../../generated';
import { installCell } from '../../install';
import type { JobActions } from '../../jobActions';
import { commandsIn } from '../../namedCommands';
import { isGateRefusal } from '../../transport/problem';
import { type FieldError, toProblemError } from '../../transport/request';
import { percent, roleName, short } from '../../words';
import { Findings } from '../deploy/findings';
import { CopyButton } from '../ui/copyButton';
import { advice, sentence } from '../ui/field';
import { useLoaded } from '../ui/hooks';
import { Icon } from '../ui/icon';
import { ResultPage } from '../ui/resultPage';
import { Scrolled } from '../ui/scrolled';
import { Published } from './published';

export interface JobEndProps {
  job: Job;
  actions: JobActions;
  trans: TranslationBundle;
}

/** The outcome of a job. */
export function JobEnd({ job, actions, trans }: JobEndProps): React.ReactElement | null {
  switch (job.state) {
    case 'done':
      return <Done job={job} actions={actions} trans={trans} />;
    case 'failed':
      return job.problem ? (
        <Failed job={job} problem={job.problem} actions={actions} trans={trans} />
      ) : null;
    case 'cancelled':
      return (
        <div className="nbdeploy-end" data-state="cancelled">
          <p>
            {job.problem
              ? `${sentence(job.problem.detail)} ${advice(job.problem.remedy)}`
              : job.endpoint
                ? trans.__(
                    'Cancelled. Incomplete results are removed; open %1 for the present state.',
                    job.endpoint
                  )
                : trans.__('Cancelled.')}
          </p>
          <TryAgain job={job} actions={actions} trans={trans} />
        </div>
      );
    case 'waiting':
    case 'queued':
    case 'running':
      return null;
  }
}

function Done({ job, actions, trans }: JobEndProps): React.ReactElement {
  const endpoint = endpointOf(job);
  return (
    <div className="nbdeploy-end" data-state="done">
      <Outcome job={job} actions={actions} trans={trans} />
      {endpoint ? (
        <div className="nbdeploy-buttons">
          <button
            type="button"
            className="jp-Button jp-mod-styled jp-mod-accept"
            onClick={() => {
              actions.openEndpoint(endpoint);
            }}
          >
            {trans.__('Open %1', endpoint)}
          </button>
          {job.verb === 'deploy' ? (
            <button
              type="button"
              className="jp-Button jp-mod-styled"
              title={trans.__('Its requests, latencies and drift')}
              onClick={() => {
                actions.openEndpoint(endpoint, 'monitor');
              }}
            >
              {trans.__('Monitor %1', endpoint)}
            </button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}

function endpointOf(job: Job): string | null {
  if (job.verb === 'deploy') return (job.result as Deployment).endpoint;
  if (job.verb === 'automl' && (job.result as ModelSearchResult).deployed) {
    return String(job.request.deploy);
  }
  return job.endpoint;
}

/** The outcome of a finished job, by its verb. */
function Outcome({ job, actions, trans }: JobEndProps): React.ReactElement | null {
  switch (job.verb) {
    case 'deploy':
      return <Deployed deployment={job.result as Deployment} trans={trans} />;
    case 'publish':
      return (
        <Published
          published={job.result as Publication}
          listImages={actions.listImages}
          trans={trans}
        />
      );
    case 'candidates': // its table is shown below the job
      return null;
    case 'automl':
      return <Found job={job} actions={actions} trans={trans} />;
    default:
      return <OtherResult job={job} actions={actions} trans={trans} />;
  }
}

/** The outcome of a search, and the notebooks that it wrote; its table is shown below the job. */
function Found({ job, actions, trans }: JobEndProps): React.ReactElement {
  const { notebook, validation } = job.result as ModelSearchResult;
  return (
    <>
      <OtherResult job={job} actions={actions} trans={trans} candidates={false} />
      {actions.openNotebook ? (
        <div className="nbdeploy-buttons">
          {[notebook, validation].filter(Boolean).map(path => (
            <button
              key={path}
              type="button"
              className="jp-Button jp-mod-styled"
              title={path}
              onClick={() => {
                actions.openNotebook?.(path);
              }}
            >
              {trans.__('Open %1', path.slice(path.lastIndexOf('/') + 1))}
            </button>
          ))}
        </div>
      ) : null}
    </>
  );
}

/** The page of its result. */
function OtherResult({
  job,
  actions,
  trans,
  candidates = true
}: JobEndProps & { candidates?: boolean }): React.ReactElement {
  const { value, error } = useLoaded(job.id, async signal =>
    actions.resultPage(job, candidates, signal)
  );
  if (value) return <ResultPage page={value} renderer={actions.renderer} />;
  return (
    <p>
      {error === null
        ? trans.__('Done.')
        : trans.__('Done. The result cannot be shown: %1', toProblemError(error).message)}
    </p>
  );
}

function Deployed({
  deployment,
  trans
}: {
  deployment: Deployment;
  trans: TranslationBundle;
}): React.ReactElement {
  const url = `${deployment.public_url ?? deployment.url}/predict`;
  const share =
    deployment.role === 'stable' && deployment.percent === 100 ? '' : percent(deployment.percent);
  const findings = deployment.captured.findings.filter(one => one.severity !== 'note');
  return (
    <>
      <p className="nbdeploy-did">
        <Icon name={deployment.role} />
        <span>
          {deployment.changed ? null : <>{trans.__('Unchanged:')} </>}
          <code title={deployment.release}>{short(deployment.release)}</code> {trans.__('is')}{' '}
          <strong>{roleName(trans, deployment.role)}</strong> {share} {trans.__('of')}{' '}
          <strong>{deployment.endpoint}</strong>
          {deployment.replaced
            ? ` ${trans.__('in place of %1', short(deployment.replaced))}`
            : null}
        </span>
      </p>
      {deployment.role === 'shadow' ? (
        <p className="nbdeploy-help">
          {trans.__(
            'Clients get the answers of stable. The answers of the shadow are recorded, and the sidebar compares them.'
          )}
        </p>
      ) : null}
      <div className="nbdeploy-url">
        <code>{url}</code>
        <CopyButton text={url} label={trans.__('Copy the URL')} trans={trans} />
      </div>
      {findings.length ? (
        <details>
          <summary>
            {trans._n('%1 finding to look at', '%1 findings to look at', findings.length)}
          </summary>
          <Findings findings={findings} trans={trans} />
        </details>
      ) : null}
    </>
  );
}

function Failed({
  job,
  problem,
  actions,
  trans
}: JobEndProps & { problem: Problem }): React.ReactElement {
  const findings = problem.findings as unknown as Finding[];
  const refusedByGates = isGateRefusal(problem.code);
  const waivable = [
    ...new Set(findings.filter(one => one.severity !== 'note').map(one => one.check))
  ];
  // Its remedy is an option of the command line: here it is a button.
  const cell = installCell(problem.remedy);
  const insert = actions.cellInserter(job);
  const hasButton = refusedByGates || waivable.length > 0;
  return (
    <div className="nbdeploy-end" data-state="failed">
      <p className="nbdeploy-wrong">{sentence(problem.detail || problem.title)}</p>
      {problem.remedy && !hasButton ? <p>{advice(problem.remedy)}</p> : null}
      {findings.length ? (
        <Findings findings={findings} trans={trans} openCell={actions.cellOpener(job)} />
      ) : null}
      {problem.errors.length ? (
        <ul>
          {problem.errors.map((error, index) => (
            <li key={index}>{fieldError(error as unknown as FieldError)}</li>
          ))}
        </ul>
      ) : null}
      {problem.details && !findings.length && !problem.report ? (
        <Details text={problem.details} trans={trans} />
      ) : null}
      <div className="nbdeploy-buttons">
        {commandsIn(`${problem.detail} ${problem.remedy}`).map(command => (
          <button
            key={command.text}
            type="button"
            className="jp-Button jp-mod-styled"
            title={command.text}
            onClick={() => {
              actions.runVerb(command);
            }}
          >
            {labelsOf(trans)[command.verb]}
          </button>
        ))}
        {cell !== null && insert ? (
          <button
            type="button"
            className="jp-Button jp-mod-styled"
            title={cell}
            onClick={() => {
              insert(cell);
            }}
          >
            {trans.__('Insert the cell that installs it')}
          </button>
        ) : null}
        {problem.report ? (
          <button
            type="button"
            className="jp-Button jp-mod-styled"
            onClick={() => {
              actions.openReport(job);
            }}
          >
            {trans.__('Show the report')}
          </button>
        ) : null}
        {waivable.length ? (
          <button
            type="button"
            className="jp-Button jp-mod-styled"
            onClick={() => {
              actions.tryAgain(job, waivable);
            }}
          >
            {trans.__('Waive the checks…')}
          </button>
        ) : null}
        <TryAgain job={job} actions={actions} trans={trans} />
      </div>
      {refusedByGates ? <Force job={job} actions={actions} trans={trans} /> : null}
    </div>
  );
}

function Details({ text, trans }: { text: string; trans: TranslationBundle }): React.ReactElement {
  return (
    <details className="nbdeploy-log" open={text.split('\n').length < 12}>
      <summary>{trans.__('Details')}</summary>
      <Scrolled label={trans.__('Details')}>
        <pre>{text}</pre>
      </Scrolled>
    </details>
  );
}

/** A request from a notebook's dialog is repeated by it; others by the form of their verb. */
function TryAgain({ job, actions, trans }: JobEndProps): React.ReactElement | null {
  const { model, source } = job.request;
  if (job.verb === 'deploy' ? !model && !source : job.verb !== 'publish') return null;
  return (
    <button
      type="button"
      className="jp-Button jp-mod-styled"
      onClick={() => {
        actions.tryAgain(job);
      }}
    >
      {trans.__('Try again…')}
    </button>
  );
}

/** A form that overrides the gates with a reason, which is stored. */
function Force({ job, actions, trans }: JobEndProps): React.ReactElement {
  const [reason, setReason] = React.useState('');
  const [error, setError] = React.useState('');
  const id = React.useId();
  const force = async (): Promise<void> => {
    try {
      const next = await actions.force(job, reason.trim());
      actions.show(next.id);
    } catch (error) {
      setError(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form
      className="nbdeploy-force"
      onSubmit={event => {
        event.preventDefault();
        if (reason.trim()) void force();
      }}
    >
      <label htmlFor={id}>{trans.__('Reason for the override (stored permanently)')}</label>
      <div className="nbdeploy-buttons">
        <input
          id={id}
          className="jp-mod-styled"
          value={reason}
          onChange={event => {
            setReason(event.target.value);
          }}
        />
        <button
          type="submit"
          className="jp-Button jp-mod-styled jp-mod-warn"
          disabled={!reason.trim()}
        >
          {trans.__('Override the gates')}
        </button>
      </div>
      <p role="status" className="nbdeploy-problems">
        {error}
      </p>
    </form>
  );
}

function fieldError({ loc, msg }: FieldError): string {
  return [loc.map(String).join('.'), msg].filter(Boolean).join(': ');
}
