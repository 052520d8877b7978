/** The form of a comparison: models of the kernel, rows with their true answers, and what counts. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import type { KernelState } from '../../deploy/deployModel';
import type { CandidatesRequest, FieldProblem, KernelReport } from '../../generated';
import { problemOf } from '../../transport/problem';
import { type ProblemError, problemError, toProblemError } from '../../transport/request';
import { type KernelActions, KernelNotice } from '../deploy/kernelNotice';
import { FormFooter, STATUS_ID } from '../ui/formFooter';
import { useDebounced, useLoaded, useSignal } from '../ui/hooks';
import { CompareFields } from './compareFields';
import { cellOf, type CompareValues, comparisonOf, emptyComparison, filled } from './compareValues';

/** A pause in typing of this length starts a check. */
const PAUSE_MS = 400;

/** The notebook, its kernel and the server, as the form uses them. */
export interface CompareWorld {
  readonly kernel: () => KernelState;
  readonly kernelChanged: ISignal<unknown, void>;
  /** Whether the kernel answers queries now. */
  readonly canAnswer: () => boolean;
  readonly report: () => Promise<KernelReport>;
  readonly check: (request: CandidatesRequest) => Promise<readonly FieldProblem[]>;
  /** Saves the notebook, and starts the job that runs it. */
  readonly compare: (request: CandidatesRequest) => Promise<void>;
  /** Inserts a cell at the notebook's end. */
  readonly insert: (source: string) => void;
}

export interface CompareFormProps {
  world: CompareWorld;
  endpoints: readonly string[];
  kernelActions: Omit<KernelActions, 'lookAgain'>;
  close: () => void;
  trans: TranslationBundle;
}

export function CompareForm(props: CompareFormProps): React.JSX.Element {
  const { world, endpoints, kernelActions, close, trans } = props;
  const [values, setValues] = React.useState<CompareValues>(emptyComparison);
  const [submitted, setSubmitted] = React.useState(false);
  const [sending, setSending] = React.useState(false);
  const [refused, setRefused] = React.useState<ProblemError | null>(null);
  const { kernel, report, problem, reload } = useReport(world);
  const typed = report && comparisonOf(filled(values, report));
  const found = useChecked(world, typed);
  const [told, setTold] = React.useState<{ key: string; problems: readonly FieldProblem[] }>();
  const key = JSON.stringify(typed);
  const typing = submitted || typed?.models?.length ? found : [];
  const problems = told?.key === key ? told.problems : typing;
  const form = React.useRef<HTMLFormElement>(null);
  // Once the problems are drawn, and not those before.
  React.useEffect(() => {
    if (told?.problems.length) {
      form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
    }
  }, [told]);

  /** Sends the request if the kernel finds nothing wrong with it as it is now. */
  const send = async (act: (request: CandidatesRequest) => Promise<void>): Promise<void> => {
    if (sending || typed === null) return;
    setSubmitted(true);
    setSending(true);
    setRefused(null);
    try {
      const wrong = await checked(world, typed).catch(() => []); // what runs then reports it
      setTold({ key, problems: wrong });
      if (wrong.length === 0) {
        await act(typed);
        close();
        return;
      }
    } catch (error) {
      setRefused(toProblemError(error));
    }
    setSending(false);
  };
  const isEmpty = report?.models.length === 0;
  return (
    <form
      ref={form}
      className="nbdeploy-form"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        void send(world.compare);
      }}
    >
      <div className="nbdeploy-fields">
        <KernelNotice
          kernel={
            kernel.kind === 'busy'
              ? {
                  kind: 'busy',
                  words: trans.__(
                    'The kernel is busy: a cell runs. Compare runs the notebook in another kernel at once.'
                  )
                }
              : kernel
          }
          problem={problem === null ? null : problemOf(problem)}
          looked={report !== null}
          actions={{ ...kernelActions, lookAgain: reload }}
          trans={trans}
        />
        {isEmpty ? (
          <p className="nbdeploy-notice" role="status">
            {trans.__('There is no model in this kernel. Run the cells that make your models.')}
          </p>
        ) : null}
        {report && !isEmpty ? (
          <CompareFields
            report={report}
            values={filled(values, report)}
            change={some => {
              setValues({ ...values, ...some });
              setRefused(null);
            }}
            endpoints={endpoints}
            problems={problems}
            trans={trans}
          />
        ) : null}
      </div>
      <FormFooter
        notes={[
          trans.__(
            'Compare saves the notebook and runs it from its first cell, in a kernel of its own. A cell measures the models as they are now.'
          )
        ]}
        refusal={refused}
        status={
          sending
            ? trans.__('Checking, then saving the notebook…')
            : submitted && problems.length > 0
              ? trans.__('Correct the marked fields.')
              : ''
        }
        close={close}
        trans={trans}
      >
        <button
          type="button"
          className="jp-Button jp-mod-styled"
          aria-disabled={typed === null || isEmpty || sending}
          onClick={() =>
            void send(async request => {
              world.insert(cellOf(request));
              return Promise.resolve();
            })
          }
        >
          {trans.__('Insert cell')}
        </button>
        <button
          type="submit"
          className="jp-Button jp-mod-styled jp-mod-accept"
          aria-disabled={typed === null || isEmpty || sending}
          aria-describedby={STATUS_ID}
        >
          {trans.__('Compare')}
        </button>
      </FormFooter>
    </form>
  );
}

/** The kernel's state, and what it offers: the last answer stays while it cannot answer. */
function useReport(world: CompareWorld): {
  kernel: KernelState;
  report: KernelReport | null;
  problem: unknown;
  reload: () => void;
} {
  const state = useSignal(world.kernelChanged, () => JSON.stringify(world.kernel()));
  const kernel = JSON.parse(state) as KernelState;
  const loaded = useLoaded(kernel.kind, async () => asked(world), {
    active: kernel.kind === 'idle' || kernel.kind === 'busy'
  });
  const [last, setLast] = React.useState<KernelReport | null>(null);
  if (loaded.value !== null && loaded.value !== last) setLast(loaded.value);
  return {
    kernel,
    report: loaded.value ?? last,
    problem: loaded.error,
    reload: loaded.reload
  };
}

async function asked(world: CompareWorld): Promise<KernelReport> {
  const report = await world.report();
  if (report.problem !== '') {
    throw problemError({ code: 'kernel_failed', title: report.problem, remedy: report.remedy });
  }
  return report;
}

/** What the kernel finds wrong with the request; a kernel that cannot answer finds nothing. */
function useChecked(
  world: CompareWorld,
  request: CandidatesRequest | null
): readonly FieldProblem[] {
  const key = useDebounced(request === null ? '' : JSON.stringify(request), PAUSE_MS);
  const loaded = useLoaded(key, async () => checked(world, JSON.parse(key) as CandidatesRequest), {
    active: key !== ''
  });
  return loaded.value ?? [];
}

async function checked(
  world: CompareWorld,
  request: CandidatesRequest
): Promise<readonly FieldProblem[]> {
  return world.canAnswer() ? world.check(request) : [];
}
