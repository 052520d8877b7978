/** A choice among models: constraints, the table, the chart, and the deploy of a row. */
import * as React from 'react';

import type { CandidateRow, CandidatesView, DeployRequest } from '../../generated';
import type { JobActions } from '../../jobActions';
import { toProblemError } from '../../transport/request';
import { Chart } from '../ui/chart';
import { CodeInput, Field } from '../ui/field';
import { useDebounced, useLoaded } from '../ui/hooks';
import { useServices } from '../ui/services';
import { CandidateTable } from './candidateTable';
import { DeployCandidate } from './deployCandidate';
import { MoreOfCandidates } from './moreOfCandidates';

/** A pause in typing of this length applies the constraints. */
const PAUSE_MS = 300;

export interface CandidatesProps {
  /** The document of the output. */
  readonly given: CandidatesView;
  /** Starts a deploy; the id of its job. */
  readonly start: (request: DeployRequest) => Promise<string>;
  /** Shows a job in place. */
  readonly renderJob: (
    id: string,
    own: Pick<JobActions, 'show' | 'tryAgain'>
  ) => React.ReactElement;
}

export function Candidates(props: CandidatesProps): React.JSX.Element {
  const { given, start, renderJob } = props;
  const { trans } = useServices();
  const typed = given.table.constraints.join(', ');
  const [text, setText] = React.useState(typed);
  const { shown, error } = useConstrained(given, typed, text);
  const [chosen, setChosen] = React.useState<CandidateRow | null>(null);
  const [job, setJob] = React.useState<{ id: string; row: CandidateRow } | null>(null);
  const problem = error === null ? null : toProblemError(error);
  return (
    <section className="nbd-Candidates" aria-label={trans.__('Candidates')}>
      <h3 role="status">{shown.headline}</h3>
      <Field
        label={trans.__('Constraints')}
        help={trans.__('Separated by commas. A row that violates one comes last.')}
        problems={
          problem
            ? [{ field: '', message: problem.message, remedy: problem.remedy, finding: null }]
            : []
        }
      >
        {control => (
          <CodeInput
            control={control}
            placeholder="latency_p99_ms <= 5, memory_mb <= 300"
            value={text}
            change={setText}
          />
        )}
      </Field>
      <details>
        <summary>{trans.__('Names of figures')}</summary>
        <p>
          <code>{shown.figures.join(', ')}</code>
        </p>
      </details>
      <CandidateTable view={shown} onDeploy={setChosen} />
      {job &&
        renderJob(job.id, {
          show: id => {
            setJob({ ...job, id });
          },
          tryAgain: () => {
            setChosen(job.row);
          }
        })}
      <Chart spec={shown.chart} />
      <MoreOfCandidates view={shown} />
      {chosen && (
        <DeployCandidate
          row={chosen}
          table={shown.table}
          start={start}
          onStarted={id => {
            setJob({ id, row: chosen });
            setChosen(null);
          }}
          onClose={() => {
            setChosen(null);
          }}
        />
      )}
    </section>
  );
}

/** The document under the typed constraints; while they are wrong or loading, the last one. */
function useConstrained(
  given: CandidatesView,
  typed: string,
  text: string
): { shown: CandidatesView; error: unknown } {
  const { view } = useServices();
  const constraints = useDebounced(text, PAUSE_MS);
  const asked = constraints !== typed;
  const loaded = useLoaded<CandidatesView>(
    constraints,
    async signal => view('candidates', { table: given.table, constraints }, signal),
    { active: asked }
  );
  const [last, setLast] = React.useState(given);
  const present = asked ? loaded.value : given;
  if (present !== null && present !== last) setLast(present);
  return { shown: present ?? last, error: asked ? loaded.error : null };
}
