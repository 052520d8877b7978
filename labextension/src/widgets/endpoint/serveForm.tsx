/** The form that changes how an endpoint is called: a dry run first, then the same document is applied. */
import * as React from 'react';

import type { EndpointPlan, EndpointView } from '../../generated';
import { inForms } from '../../namedCommands';
import { type Problem, problemOf, problemOfJob } from '../../transport/problem';
import type { VerbField } from '../../verbFields';
import { Field } from '../ui/field';
import { useLoaded } from '../ui/hooks';
import { Modal } from '../ui/modal';
import { Button, LoadFailure, Notice, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { VerbControl } from '../verbs/verbControl';
import {
  documentOf,
  type ServeValues,
  valuesOf,
  type Way,
  type WayFields,
  WAYS
} from './serveValues';

interface ServeFormProps {
  view: EndpointView;
  onClose: () => void;
  onApplied: () => void;
}

export function ServeForm(props: ServeFormProps): React.JSX.Element {
  const { view, onClose } = props;
  const { trans, fields } = useServices();
  const title = trans.__('Serve %1 by', view.name);
  const loaded = useLoaded<WayFields>('fields', async () => ({
    batch: await fields('BatchSpec'),
    stream: await fields('StreamSpec')
  }));
  return (
    <Modal label={title} onClose={onClose}>
      <div className="nbd-Pending nbdeploy-body">
        <h3>{title}</h3>
        {loaded.error !== null && <LoadFailure loaded={loaded} />}
        {loaded.error === null && !loaded.value && (
          <Waiting words={trans.__('Loading the form …')} />
        )}
        {loaded.value && <Form {...props} fields={loaded.value} />}
      </div>
    </Modal>
  );
}

/** What the present texts lead to: nothing is asked yet, a job runs, or a plan of them is known. */
interface Planned {
  /** The document that was planned, as a text. */
  readonly of: string;
  readonly plan: EndpointPlan;
}

function Form(props: ServeFormProps & { fields: WayFields }): React.JSX.Element {
  const { view, fields, onClose, onApplied } = props;
  const { trans, job, say } = useServices();
  const [values, setValues] = React.useState<ServeValues>(() => valuesOf(view.serve));
  const [submitted, setSubmitted] = React.useState(false);
  const [busy, setBusy] = React.useState('');
  const [planned, setPlanned] = React.useState<Planned | null>(null);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const [reason, setReason] = React.useState('');
  const form = React.useRef<HTMLFormElement>(null);
  const { document, problems } = documentOf(view, values, fields, trans);
  const key = JSON.stringify(document);
  const plan = planned?.of === key ? planned.plan : null;
  const isWrong = WAYS.some(way => Object.keys(problems[way]).length > 0);

  const change = (next: ServeValues): void => {
    setValues(next);
    setProblem(null);
  };
  /** Runs a verb with the document, and returns the plan of its job; null: it failed. */
  const run = async (
    verb: 'plan' | 'apply',
    words: string,
    more: object
  ): Promise<EndpointPlan | null> => {
    setBusy(words);
    setProblem(null);
    try {
      const ended = await job(verb, { document, ...more });
      const [first = null] = (ended.result ?? []) as EndpointPlan[];
      if (ended.state === 'done') return first;
      setProblem(problemOfJob(ended));
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy('');
    }
    setPlanned(null);
    return null;
  };
  const submit = async (): Promise<void> => {
    setSubmitted(true);
    if (busy) return;
    if (isWrong) {
      requestAnimationFrame(() =>
        form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
      );
    } else if (plan === null) {
      const found = await run('plan', trans.__('Looking what changes …'), {});
      if (found) setPlanned({ of: key, plan: found });
    } else if (plan.changes.length > 0) {
      const given = { if_revision: plan.revision, ...(reason.trim() && { reason: reason.trim() }) };
      if (await run('apply', trans.__('Applying …'), given)) {
        say(trans.__('%1 is served as you chose', view.name));
        onApplied();
      }
    }
  };
  return (
    <form
      ref={form}
      className="nbd-ServeForm"
      noValidate
      aria-busy={busy !== ''}
      onSubmit={event => {
        event.preventDefault();
        void submit();
      }}
    >
      <label className="nbdeploy-check">
        <input type="checkbox" checked disabled />
        <span>
          <b>{trans.__('HTTP')}</b> {trans.__('requests, which an endpoint always answers')}
        </span>
      </label>
      {WAYS.map(way => (
        <WayPart
          key={way}
          way={way}
          values={values}
          fields={fields[way]}
          problems={submitted ? problems[way] : {}}
          change={change}
        />
      ))}
      {plan && <Changes plan={plan} />}
      {plan && plan.changes.length > 0 && (
        <Field label={trans.__('Reason')} problems={[]}>
          {control => (
            <input
              {...control}
              type="text"
              placeholder={trans.__('Reason (optional)')}
              value={reason}
              onChange={event => {
                setReason(event.target.value);
              }}
            />
          )}
        </Field>
      )}
      {problem && <Notice problem={problem} />}
      <div className="nbd-row nbd-mod-end">
        <span role="status" className="nbdeploy-help">
          {busy}
        </span>
        <Button onClick={onClose}>{trans.__('Cancel')}</Button>
        {plan?.changes.length === 0 ? null : (
          <Button type="submit" look="primary" aria-disabled={busy !== ''}>
            {plan ? trans.__('Apply') : trans.__('Show what changes')}
          </Button>
        )}
      </div>
    </form>
  );
}

/** One way: whether the endpoint is called so, and its fields. */
function WayPart(props: {
  way: Way;
  values: ServeValues;
  fields: readonly VerbField[];
  problems: Readonly<Record<string, string>>;
  change: (values: ServeValues) => void;
}): React.JSX.Element {
  const { way, values, fields, problems, change } = props;
  const { trans } = useServices();
  const { on, texts } = values[way];
  const words = {
    batch: [trans.__('Batch'), trans.__('files, by a schedule')],
    stream: [trans.__('Stream'), trans.__('messages of a broker')]
  }[way];
  const shown = (field: VerbField): React.JSX.Element => {
    const problem = problems[field.name];
    return (
      <Field
        key={field.name}
        label={field.label}
        help={inForms(field.help)}
        problems={
          problem ? [{ field: field.name, message: problem, remedy: '', finding: null }] : []
        }
      >
        {control => (
          <VerbControl
            {...control}
            field={field}
            text={texts[field.name] ?? field.text}
            suggestions={[]}
            change={text => {
              change({ ...values, [way]: { on, texts: { ...texts, [field.name]: text } } });
            }}
            trans={trans}
          />
        )}
      </Field>
    );
  };
  return (
    <div role="group" aria-label={words[0]} className="nbd-WayPart">
      <label className="nbdeploy-check">
        <input
          type="checkbox"
          checked={on}
          onChange={event => {
            change({ ...values, [way]: { on: event.target.checked, texts } });
          }}
        />
        <span>
          <b>{words[0]}</b> {words[1]}
        </span>
      </label>
      {on && (
        <>
          {fields.filter(field => field.important).map(shown)}
          <details className="nbdeploy-more">
            <summary>{trans.__('More')}</summary>
            {fields.filter(field => !field.important).map(shown)}
          </details>
        </>
      )}
    </div>
  );
}

/** What will start, stop, and be read again; each with the command that does it alone. */
function Changes(props: { plan: EndpointPlan }): React.JSX.Element {
  const { plan } = props;
  const { trans } = useServices();
  if (plan.changes.length === 0) {
    return <p role="status">{trans.__('Nothing changes: it is served so already.')}</p>;
  }
  return (
    <section aria-label={trans.__('What changes')} className="nbd-Plan">
      <h4>{trans.__('What changes')}</h4>
      <ol>
        {plan.changes.map(({ change, command }) => (
          <li key={change}>
            {change}
            {command && <code>{command}</code>}
          </li>
        ))}
      </ol>
    </section>
  );
}
