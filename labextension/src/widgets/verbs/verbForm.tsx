import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { FieldProblem, SettingsFile } from '../../generated';
import { inForms } from '../../namedCommands';
import { type ProblemError, toProblemError } from '../../transport/request';
import { readForm, type Texts, type VerbField } from '../../verbFields';
import type { Check, Checked, FormStart, Suggested } from '../../verbRequests';
import { Field } from '../ui/field';
import { FormFooter, STATUS_ID } from '../ui/formFooter';
import { SettingsNotice } from '../ui/settingsNotice';
import { VerbControl } from './verbControl';

export interface VerbFormProps {
  /** The verb's effect, in one sentence. */
  summary: string;
  /** The label of the button. */
  action: string;
  /** It stops or removes something. */
  warns: boolean;
  fields: readonly VerbField[];
  given: Texts;
  /** Values to suggest, by the field's name. */
  suggestions: Suggested;
  /**
   * The problems of the typed values, after a pause in typing, which do not prevent the request; and
   * further suggestions.
   */
  check?: Check | undefined;
  /** The settings of its folder, and the user's agreement to them: what the form begins with then. */
  settings?: SettingsFile | null;
  agree?: (file: SettingsFile) => Promise<FormStart>;
  /** Resolves when the request was sent; throws a `ProblemError`. */
  send: (request: Readonly<Record<string, unknown>>) => Promise<void>;
  close: () => void;
  trans: TranslationBundle;
}

/** A form for a verb without a view of its own, made from its request. */
export function VerbForm(props: VerbFormProps): React.ReactElement {
  const { summary, action, warns, fields, given, send, close, trans } = props;
  const [texts, setTexts] = React.useState(given);
  const [settings, setSettings] = React.useState(props.settings ?? null);
  const [submitted, setSubmitted] = React.useState(false);
  const [refused, setRefused] = React.useState<ProblemError | null>(null);
  const [sending, setSending] = React.useState(false);
  const found = useChecked(texts, props.check);
  const form = React.useRef<HTMLFormElement>(null);
  const { request, problems } = readForm(fields, texts, trans);
  const names = new Set(fields.map(field => field.name));
  const unplaced = refused?.errors.filter(error => !names.has(String(error.loc[0]))) ?? [];

  const submit = async (): Promise<void> => {
    setSubmitted(true);
    if (sending || Object.keys(problems).length > 0) {
      focusWrong(form.current);
      return;
    }
    setSending(true);
    setRefused(null);
    try {
      await send(request);
      close();
    } catch (error) {
      setRefused(toProblemError(error));
      setSending(false);
      focusWrong(form.current);
    }
  };

  const agree = async (file: SettingsFile): Promise<void> => {
    const start = await props.agree?.(file);
    if (!start) return;
    setSettings(start.settings);
    // What the user has typed stays.
    const isUntouched = ([name]: [string, string]): boolean => texts[name] === given[name];
    const news = Object.fromEntries(Object.entries(start.texts).filter(isUntouched));
    setTexts(now => ({ ...now, ...news }));
  };

  const problemsOf = (field: VerbField): FieldProblem[] => {
    const typed = problems[field.name];
    const isShown = typed !== undefined && (submitted || (texts[field.name] ?? '') !== '');
    const refusedFields = refused?.errors.filter(error => error.loc[0] === field.name) ?? [];
    const own = [...(isShown ? [typed] : []), ...refusedFields.map(error => error.msg)];
    return [
      ...own.map(message => ({ field: field.name, message, remedy: '', finding: null })),
      ...found.problems.filter(problem => problem.field === field.name)
    ];
  };
  const shown = (field: VerbField): React.ReactElement => (
    <Field
      key={field.name}
      label={field.label}
      help={inForms(field.help)}
      problems={problemsOf(field)}
    >
      {control => (
        <VerbControl
          {...control}
          field={field}
          text={texts[field.name] ?? field.text}
          suggestions={found.suggestions[field.name] ?? props.suggestions[field.name] ?? []}
          change={text => {
            setTexts({ ...texts, [field.name]: text });
            setRefused(null);
          }}
          trans={trans}
        />
      )}
    </Field>
  );
  const more = fields.filter(field => !field.important && !field.confirmation);
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
          <SettingsNotice file={settings} agree={agree} trans={trans} />
          {fields.filter(field => field.important).map(shown)}
          {more.length > 0 ? (
            <details className="nbdeploy-more" open={more.length < 4 || more.some(isWrong)}>
              <summary>{trans.__('More')}</summary>
              {more.map(shown)}
            </details>
          ) : null}
        </div>
        <FormFooter
          notes={[]}
          refusal={
            refused && {
              message: [refused.message, unplaced.map(error => error.msg).join('; ')].join(' '),
              remedy: refused.remedy
            }
          }
          status={sending ? trans.__('Sending the request…') : ''}
          close={close}
          trans={trans}
        >
          <button
            type="submit"
            className={`jp-Button jp-mod-styled ${warns ? 'jp-mod-warn' : 'jp-mod-accept'}`}
            aria-disabled={sending}
            aria-describedby={STATUS_ID}
          >
            {action}
          </button>
        </FormFooter>
      </form>
    </div>
  );

  function isWrong(field: VerbField): boolean {
    return problemsOf(field).length > 0;
  }
}

/** A pause in typing of this length starts a check. */
const PAUSE_MS = 600;

const NOTHING: Checked = { problems: [], suggestions: {} };

/** What a check finds; the problems of earlier texts are not shown, and their suggestions stay. */
function useChecked(texts: Texts, check: Check | undefined): Checked {
  const key = JSON.stringify(texts);
  const [found, setFound] = React.useState({ key, checked: NOTHING });
  const latest = React.useRef(check);
  React.useEffect(() => {
    latest.current = check;
  });
  React.useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => {
      latest
        .current?.(JSON.parse(key) as Texts, stop.signal)
        .then(checked => {
          if (!stop.signal.aborted) setFound({ key, checked });
        })
        .catch(() => undefined); // the request itself reports what is wrong
    }, PAUSE_MS);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key]);
  return found.key === key ? found.checked : { ...found.checked, problems: [] };
}

/** After the problems were drawn. */
function focusWrong(form: HTMLFormElement | null): void {
  requestAnimationFrame(() => {
    form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  });
}
