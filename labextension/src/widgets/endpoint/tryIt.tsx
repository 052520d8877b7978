/**
 * Try it: a form of the signature, filled with the example, or the request as JSON; the answer; and
 * snippets.
 */
import * as React from 'react';

import { exact } from '../../exact';
import type { Texts } from '../../form';
import { instanceOf, textsOf } from '../../form';
import type { EndpointView, FormField, FormView, Prediction } from '../../generated';
import { type Problem, problemOf } from '../../transport/problem';
import { milliseconds, short } from '../../words';
import { useLoaded } from '../ui/hooks';
import { Button, Copy, Empty, LoadFailure, Notice, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { Snippets } from './snippets';

interface Answer {
  readonly prediction: Prediction;
  readonly ms: number;
}

export function TryIt(props: { view: EndpointView }): React.JSX.Element {
  const { name, running, cards } = props.view;
  const { trans, view } = useServices();
  const stable = cards.find(card => card.role === 'stable')?.tag ?? '';
  const loaded = useLoaded<FormView>(`${name} ${stable}`, async signal =>
    view('form', { name }, signal)
  );
  if (loaded.error !== null) {
    return <LoadFailure loaded={loaded} />;
  }
  if (!loaded.value) return <Waiting words={trans.__('Loading the form …')} />;
  return (
    <div className="nbd-Try">
      {running ? (
        <Form form={loaded.value} key={loaded.value.release} />
      ) : (
        <Empty
          title={trans.__('Stopped endpoint')}
          text={trans.__('Press "Start again…" above, then send a request.')}
        />
      )}
      <Snippets snippets={loaded.value.snippets} />
    </div>
  );
}

function Form(props: { form: FormView }): React.JSX.Element {
  const { form } = props;
  const { trans, call, say } = useServices();
  const [asJson, setAsJson] = React.useState(form.fields.length === 0);
  const [texts, setTexts] = React.useState<Texts>(() => textsOf(form.fields));
  const [json, setJson] = React.useState(() => exact.stringify(form.instance, 2));
  const [answer, setAnswer] = React.useState<Answer | null>(null);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const [sending, setSending] = React.useState(false);
  const made = instanceOf(form.fields, texts, trans);
  const parsed = parse(json);
  const wrong = asJson ? parsed.problem !== '' : Object.keys(made.problems).length > 0;

  const send = async (): Promise<void> => {
    if (wrong) return;
    setSending(true);
    const startedAt = performance.now();
    try {
      const data = [asJson ? parsed.value : made.instance];
      const prediction = await call<Prediction>('predict', { name: form.name, data });
      const ms = performance.now() - startedAt;
      setAnswer({ prediction, ms });
      setProblem(null);
      say(trans.__('answered with %1', prediction.status));
    } catch (error) {
      setAnswer(null);
      setProblem(problemOf(error));
    }
    setSending(false);
  };
  const toJson = (): void => {
    if (!asJson && Object.keys(made.problems).length === 0)
      setJson(exact.stringify(made.instance, 2));
    setAsJson(!asJson);
  };
  return (
    <form
      className="nbd-Form"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        void send();
      }}
    >
      {asJson ? (
        <label className="nbd-Field">
          <span>{trans.__('One instance, as JSON')}</span>
          <textarea
            rows={Math.min(16, json.split('\n').length + 1)}
            value={json}
            spellCheck={false}
            aria-invalid={parsed.problem !== ''}
            onChange={event => {
              setJson(event.target.value);
            }}
          />
          {parsed.problem && <span className="nbd-Field-problem">{parsed.problem}</span>}
        </label>
      ) : (
        <div className="nbd-Fields">
          {form.fields.map(field => (
            <Field
              key={field.name}
              field={field}
              text={texts[field.name] ?? ''}
              problem={made.problems[field.name] ?? ''}
              onText={text => {
                setTexts(before => ({ ...before, [field.name]: text }));
              }}
            />
          ))}
        </div>
      )}
      <div className="nbd-row nbd-mod-wrap">
        <Button
          type="submit"
          look="primary"
          disabled={wrong || sending}
          title={trans.__('Send to %1', form.url)}
        >
          {sending ? trans.__('Sending …') : trans.__('Send')}
        </Button>
        {form.fields.length > 0 && (
          <Button onClick={toJson} aria-pressed={asJson}>
            {asJson ? trans.__('As a form') : trans.__('As JSON')}
          </Button>
        )}
        <Button
          look="quiet"
          onClick={() => {
            setTexts(textsOf(form.fields));
            setJson(exact.stringify(form.instance, 2));
          }}
        >
          {trans.__('Reset to example')}
        </Button>
      </div>
      {problem && <Notice problem={problem} />}
      {answer && <Answered answer={answer} />}
    </form>
  );
}

function parse(text: string): { value: unknown; problem: string } {
  try {
    return { value: exact.parse(text), problem: '' };
  } catch (error) {
    return { value: null, problem: error instanceof Error ? error.message : String(error) };
  }
}

function Field(props: {
  field: FormField;
  text: string;
  problem: string;
  onText: (text: string) => void;
}): React.JSX.Element {
  const { field, text, problem, onText } = props;
  const id = React.useId();
  const common = {
    id,
    'aria-describedby': `${id}-help`,
    'aria-invalid': problem !== '',
    'aria-required': field.required
  };
  return (
    <div className="nbd-Field" data-kind={field.kind}>
      <label htmlFor={id} title={field.name}>
        {field.label}
      </label>
      {field.kind === 'boolean' ? (
        <input
          type="checkbox"
          {...common}
          checked={text === 'true'}
          onChange={event => {
            onText(String(event.target.checked));
          }}
        />
      ) : field.kind === 'choice' ? (
        <select
          {...common}
          value={text}
          onChange={event => {
            onText(event.target.value);
          }}
        >
          {!field.required && <option value="" />}
          {field.choices.map(choice => (
            <option key={exact.stringify(choice)} value={exact.stringify(choice)}>
              {String(choice)}
            </option>
          ))}
        </select>
      ) : (
        <input
          type="text"
          inputMode={
            field.kind === 'number' ? 'decimal' : field.kind === 'integer' ? 'numeric' : 'text'
          }
          spellCheck={false}
          {...common}
          value={text}
          onChange={event => {
            onText(event.target.value);
          }}
        />
      )}
      <span id={`${id}-help`} className={problem ? 'nbd-Field-problem' : 'nbd-faint'}>
        {problem || field.help}
      </span>
    </div>
  );
}

function Answered(props: { answer: Answer }): React.JSX.Element {
  const { prediction, ms } = props.answer;
  const { trans } = useServices();
  const good = prediction.status < 400;
  const body =
    typeof prediction.body === 'string' ? prediction.body : exact.stringify(prediction.body, 2);
  return (
    <section className="nbd-Answer" data-bad={!good} aria-label={trans.__('Answer')}>
      <h4>
        <span className={good ? undefined : 'nbd-Status-bad'}>{prediction.status}</span>
        <span title={trans.__('round trip from this browser')}>{milliseconds(ms)}</span>
        {prediction.release && <span title={prediction.release}>{short(prediction.release)}</span>}
        <Copy text={body} label={trans.__('Copy the answer')} />
      </h4>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a long answer scrolls */}
      <pre className="nbd-Data" tabIndex={0} aria-label={trans.__('Answer')}>
        {body}
      </pre>
      {prediction.request_id && (
        <p className="nbd-faint">{trans.__('request %1', prediction.request_id)}</p>
      )}
    </section>
  );
}
