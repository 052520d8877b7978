import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { FieldProblem } from '../generated';
import { asProblem, type ProblemError } from '../request';
import { asked, type Texts, type VerbField } from '../verbFields';
import { Field } from './field';
import { VerbControl } from './verbControl';

export interface VerbFormProps {
  /** What it does, a sentence. */
  summary: string;
  /** What the button says. */
  action: string;
  /** It stops or removes something. */
  warns: boolean;
  fields: readonly VerbField[];
  given: Texts;
  endpoints: readonly string[];
  /** Resolves when it was asked for; throws a `ProblemError`. */
  ask: (request: Readonly<Record<string, unknown>>) => Promise<void>;
  close: () => void;
  trans: TranslationBundle;
}

/** A form for a verb that has no view of its own, made of its request. */
export function VerbForm(props: VerbFormProps): React.ReactElement {
  const { summary, action, warns, fields, given, ask, close, trans } = props;
  const [texts, setTexts] = React.useState(given);
  const [tried, setTried] = React.useState(false);
  const [refused, setRefused] = React.useState<ProblemError | null>(null);
  const [asking, setAsking] = React.useState(false);
  const form = React.useRef<HTMLFormElement>(null);
  const { request, problems } = asked(fields, texts, trans);
  const names = new Set(fields.map(field => field.name));
  const unplaced = refused?.errors.filter(error => !names.has(String(error.loc[0]))) ?? [];

  const submit = async (): Promise<void> => {
    setTried(true);
    if (asking || Object.keys(problems).length > 0) {
      focusWrong(form.current);
      return;
    }
    setAsking(true);
    setRefused(null);
    try {
      await ask(request);
      close();
    } catch (error) {
      setRefused(asProblem(error));
      setAsking(false);
      focusWrong(form.current);
    }
  };

  const problemsOf = (field: VerbField): FieldProblem[] => {
    const typed = problems[field.name];
    const isShown = typed !== undefined && (tried || (texts[field.name] ?? '') !== '');
    const told = refused?.errors.filter(error => error.loc[0] === field.name) ?? [];
    return [...(isShown ? [typed] : []), ...told.map(error => error.msg)].map(message => ({
      field: field.name,
      message,
      remedy: '',
      finding: null
    }));
  };
  const shown = (field: VerbField): React.ReactElement => (
    <Field key={field.name} label={field.label} help={field.help} problems={problemsOf(field)}>
      {control => (
        <VerbControl
          {...control}
          field={field}
          text={texts[field.name] ?? field.text}
          offered={field.name === 'name' ? props.endpoints : []}
          change={text => {
            setTexts({ ...texts, [field.name]: text });
            setRefused(null);
          }}
          trans={trans}
        />
      )}
    </Field>
  );
  const more = fields.filter(field => !field.important);
  return (
    <div className="nbdeploy-body" tabIndex={-1}>
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
          <p className="nbdeploy-summary">{summary}</p>
          {fields.filter(field => field.important).map(shown)}
          {more.length > 0 ? (
            <details className="nbdeploy-more" open={more.length < 4 || more.some(isWrong)}>
              <summary>{trans.__('More')}</summary>
              {more.map(shown)}
            </details>
          ) : null}
        </div>
        <footer>
          <div className="nbdeploy-why">
            {refused ? (
              <p role="alert" className="nbdeploy-wrong">
                {refused.message} {unplaced.map(error => error.msg).join('; ')} {refused.remedy}
              </p>
            ) : null}
            <p role="status">{asking ? trans.__('It is being asked for…') : ''}</p>
          </div>
          <button type="button" className="jp-Button jp-mod-styled jp-mod-reject" onClick={close}>
            {trans.__('Cancel')}
          </button>
          <button
            type="submit"
            className={`jp-Button jp-mod-styled ${warns ? 'jp-mod-warn' : 'jp-mod-accept'}`}
            aria-disabled={asking}
          >
            {action}
          </button>
        </footer>
      </form>
    </div>
  );

  function isWrong(field: VerbField): boolean {
    return problemsOf(field).length > 0;
  }
}

/** After what is wrong was drawn. */
function focusWrong(form: HTMLFormElement | null): void {
  requestAnimationFrame(() => {
    form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  });
}
