import { PageConfig } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { belongsTo, type DeployModel, type DeployState } from '../../deploy/deployModel';
import { blockingReason, findingOf, openProblems } from '../../deploy/deployProblems';
import type { DeployValues } from '../../deploy/deployValues';
import { modelOf, nextRole, withModel, withName, withRole } from '../../deploy/deployValues';
import type {
  FieldProblem,
  Finding,
  Job,
  KernelReport,
  NotebookContextView
} from '../../generated';
import { LogIn } from '../jobs/logIn';
import { Field, Problems } from '../ui/field';
import { FormFooter, STATUS_ID } from '../ui/formFooter';
import { useSignal } from '../ui/hooks';
import { SettingsNotice } from '../ui/settingsNotice';
import { ExampleField } from './exampleField';
import { Findings } from './findings';
import { GatesField } from './gatesField';
import { type KernelActions, KernelNotice } from './kernelNotice';
import { ModelField } from './modelField';
import { MORE_FIELDS, MoreFields } from './moreFields';
import { RoleField } from './roleField';

export interface DeployFormProps {
  model: DeployModel;
  /** A notice about the notebook before the deploy, such as that it is saved first. */
  notes: readonly string[];
  kernelActions: KernelActions;
  openCell: (count: number) => void;
  /** Called with the started job. */
  onStarted: (job: Job) => void;
  close: () => void;
  trans: TranslationBundle;
}

/** The dialog's fields and buttons. */
export function DeployForm(props: DeployFormProps): React.ReactElement {
  const { model, notes, kernelActions, onStarted, close, trans } = props;
  const state = useSignal(model.changed, () => model.state);
  const form = React.useRef<HTMLFormElement>(null);
  const { report, context } = state;
  const why = blockingReason(state, trans);
  const submit = async (): Promise<void> => {
    model.commit();
    const job = why ? null : await model.submit();
    if (job) onStarted(job);
    else focusWrong(form.current);
  };
  const filled = report !== null && context !== null;
  React.useEffect(() => {
    // The dialog itself has the focus until there are fields.
    if (!filled || document.activeElement?.matches('.nbdeploy-body') !== true) return;
    form.current?.querySelector<HTMLElement>('.nbdeploy-models input:checked')?.focus();
  }, [filled]);
  const lives = state.kernel.kind === 'idle' || state.kernel.kind === 'busy';
  const isEmpty = lives && report !== null && !report.models.length;
  return (
    <form
      ref={form}
      className="nbdeploy-form"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        void submit();
      }}
    >
      <div className="nbdeploy-fields">
        <KernelNotice
          kernel={state.kernel}
          problem={state.problem}
          looked={report !== null}
          actions={kernelActions}
          trans={trans}
        />
        {isEmpty ? <NoModel trans={trans} lookAgain={kernelActions.lookAgain} /> : null}
        {report && context ? (
          <Fields {...props} state={state} report={report} context={context} />
        ) : null}
      </div>
      <FormFooter
        notes={notes}
        refusal={state.refusal}
        mend={
          state.refusal?.logIn ? <LogIn url={PageConfig.getBaseUrl()} trans={trans} /> : undefined
        }
        status={why}
        close={close}
        trans={trans}
      >
        <button
          type="submit"
          className="jp-Button jp-mod-styled jp-mod-accept"
          aria-disabled={why !== ''}
          aria-describedby={STATUS_ID}
        >
          {trans.__('Deploy')}
        </button>
      </FormFooter>
    </form>
  );
}

function NoModel({
  trans,
  lookAgain
}: {
  trans: TranslationBundle;
  lookAgain: () => void;
}): React.ReactElement {
  return (
    <div className="nbdeploy-notice" role="status">
      <p>
        {trans.__(
          'The kernel holds no model yet. Run the cell that fits one, then refresh; or enter an expression below: a function, or an object with a predict method.'
        )}
      </p>
      <button type="button" className="jp-Button jp-mod-styled" onClick={lookAgain}>
        {trans.__('Refresh')}
      </button>
    </div>
  );
}

function Fields(
  props: DeployFormProps & {
    state: DeployState;
    report: KernelReport;
    context: NotebookContextView;
  }
): React.ReactElement {
  const { model, state, report, context, openCell, trans } = props;
  const { values } = state;
  const wrong = openProblems(state).filter(problem => !findingOf(problem));
  const problemsOf = (field: string): FieldProblem[] => wrong.filter(one => belongsTo(one, field));
  const findings = state.fieldProblems.map(findingOf).filter((one): one is Finding => one !== null);
  const first = nextRole(values.name.trim(), context) === 'stable';
  const ofR = report.language === 'R';
  const owner = context.owners[values.name.trim()] ?? '';
  const change = (next: DeployValues): void => {
    model.change(next);
  };
  return (
    <>
      <SettingsNotice
        file={context.settings}
        agree={async file => model.agree(file)}
        trans={trans}
      />
      <ModelField
        report={report}
        value={values.model}
        last={context.last?.model}
        problems={problemsOf('model')}
        trans={trans}
        change={variable => {
          change(withModel(values, variable, report, context));
        }}
        openCell={openCell}
      />
      <ExampleField
        guesses={modelOf(values, report)?.examples ?? []}
        value={values.example}
        last={context.last?.example}
        nullable={values.nullable}
        problems={problemsOf('example')}
        preview={state.preview}
        placeholder={ofR ? 'head(X, 5)' : 'X_test[:5]'}
        trans={trans}
        change={example => {
          change({ ...values, example });
        }}
        commit={() => {
          model.commit();
        }}
        clearNullable={() => {
          change({ ...values, nullable: [] });
        }}
      />
      <Field
        label={trans.__('Name')}
        help={
          first
            ? trans.__('A new endpoint: clients call it by this name.')
            : owner
              ? trans.__(
                  'An existing endpoint, of %1: the model becomes another release of it.',
                  owner
                )
              : trans.__('An existing endpoint: the model becomes another release of it.')
        }
        problems={problemsOf('name')}
      >
        {control => (
          <input
            {...control}
            type="text"
            className="jp-mod-styled"
            spellCheck={false}
            autoComplete="off"
            value={values.name}
            onChange={event => {
              change(withName(values, event.target.value, context, state.roleChosen));
            }}
          />
        )}
      </Field>
      <RoleField
        role={values.role}
        percent={values.percent}
        first={first}
        problems={problemsOf('role')}
        percentProblems={problemsOf('percent')}
        trans={trans}
        change={role => {
          model.change(withRole(values, role), { roleChosen: true });
        }}
        changePercent={percent => {
          change({ ...values, percent });
        }}
      />
      <GatesField
        context={context}
        notebooks={values.notebooks}
        gates={values.gates}
        problems={[...problemsOf('validate'), ...wrong.filter(one => one.field === 'gate')]}
        problemsOf={place => problemsOf(`gate.${String(place)}`)}
        trans={trans}
        writing={state.writing}
        write={ofR ? null : () => void model.writeValidation()}
        choose={notebooks => {
          change({ ...values, notebooks });
        }}
        change={gates => {
          change({ ...values, gates });
        }}
      />
      {findings.length ? (
        <section className="nbdeploy-checkFindings" aria-label={trans.__('Findings of the checks')}>
          <h3>{trans.__('Findings of the checks')}</h3>
          <Findings
            findings={findings}
            trans={trans}
            openCell={openCell}
            accept={columns => {
              change({ ...values, nullable: [...new Set([...values.nullable, ...columns])] });
            }}
            waived={values.waive}
            waive={(check, passes) => {
              const others = values.waive.filter(one => one !== check);
              change({ ...values, waive: passes ? [...others, check] : others });
            }}
          />
        </section>
      ) : null}
      <MoreFields
        values={values}
        ofR={ofR}
        methods={modelOf(values, report)?.methods ?? []}
        problemsOf={problemsOf}
        defaults={context.resources}
        trans={trans}
        change={change}
        commit={() => {
          model.commit();
        }}
      />
      <Problems id="nbdeploy-other" problems={wrong.filter(one => !PLACED.has(fieldOf(one)))} />
    </>
  );
}

/** The fields that show their problems themselves. */
const PLACED = new Set([
  'model',
  'example',
  'name',
  'role',
  'percent',
  'validate',
  'gate',
  ...MORE_FIELDS
]);

function fieldOf(problem: FieldProblem): string {
  return problem.field.split('.')[0] ?? '';
}

/** The first invalid field gets the focus. */
function focusWrong(form: HTMLFormElement | null): void {
  form?.querySelector<HTMLElement>('[aria-invalid="true"], [data-wrong="true"] input')?.focus();
}
