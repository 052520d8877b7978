import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ExampleGuess, FieldProblem, Table } from '../../generated';
import { Field } from '../ui/field';
import { PreviewTable } from './previewTable';

export interface ExampleFieldProps {
  guesses: readonly ExampleGuess[];
  value: string;
  /** The example of the notebook's last deploy. */
  last: string | null | undefined;
  /** Columns that accept null although the example has none. */
  nullable: readonly string[];
  problems: readonly FieldProblem[];
  /**
   * The expression's value; null: it is being evaluated, undefined: there is nothing to evaluate.
   */
  preview: Table | null | undefined;
  /** An expression of the kernel's language, shown in an empty field. */
  placeholder: string;
  trans: TranslationBundle;
  change: (expression: string) => void;
  /** The expression is complete: it may be evaluated. */
  commit: () => void;
  /** No column accepts null beyond the example. */
  clearNullable: () => void;
}

/** An expression for the model's argument: a guessed one, or any other. */
export function ExampleField(props: ExampleFieldProps): React.ReactElement {
  const { guesses, value, last, nullable, problems, preview, trans, change, commit } = props;
  const words = guesses.find(guess => guess.expression === value)?.words;
  const help = trans.__(
    'Rows like those that clients send. In a clean process the model must give the same answers to them as here.'
  );
  return (
    <Field label={trans.__('Example')} help={help} problems={problems}>
      {control => (
        <>
          {guesses.length > 1 || words === undefined ? (
            <Guesses
              guesses={guesses}
              value={value}
              trans={trans}
              choose={expression => {
                change(expression);
                commit();
              }}
            />
          ) : null}
          <input
            {...control}
            type="text"
            className="jp-mod-styled nbdeploy-code"
            placeholder={props.placeholder}
            spellCheck={false}
            autoComplete="off"
            value={value}
            onChange={event => {
              change(event.target.value);
            }}
            onBlur={commit}
          />
          {value && value === last ? (
            <p className="nbdeploy-help">{trans.__('as in the last deploy')}</p>
          ) : words ? (
            <p className="nbdeploy-help">{words}</p>
          ) : null}
          <PreviewTable table={preview} trans={trans} />
          {nullable.length ? (
            <p className="nbdeploy-help">
              {trans.__(
                'Requests may have null in %1, which the model is tested with.',
                nullable.join(', ')
              )}{' '}
              <button type="button" className="nbdeploy-link" onClick={props.clearNullable}>
                {trans.__('Refuse null')}
              </button>
            </p>
          ) : null}
        </>
      )}
    </Field>
  );
}

/** The suggestions: one Tab stop, within which arrows move. */
function Guesses(props: {
  guesses: readonly ExampleGuess[];
  value: string;
  trans: TranslationBundle;
  choose: (expression: string) => void;
}): React.ReactElement | null {
  const { guesses, value, trans, choose } = props;
  const bar = React.useRef<HTMLDivElement>(null);
  const [stop, setStop] = React.useState<string | null>(null);
  const shown = guesses.findIndex(guess => guess.expression === (stop ?? value));
  const at = Math.max(shown, 0);
  if (!guesses.length) return null;
  return (
    <div
      ref={bar}
      className="nbdeploy-chips"
      role="toolbar"
      aria-label={trans.__('Suggestions')}
      onKeyDown={event => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        const next = (at + step + guesses.length) % guesses.length;
        setStop(guesses[next]?.expression ?? null);
        bar.current?.querySelectorAll('button')[next]?.focus();
      }}
    >
      {guesses.map((guess, index) => (
        <button
          key={guess.expression}
          type="button"
          className="nbdeploy-chip"
          aria-pressed={guess.expression === value}
          title={guess.words}
          tabIndex={index === at ? 0 : -1}
          onClick={() => {
            choose(guess.expression);
          }}
        >
          <code>{guess.expression}</code>
        </button>
      ))}
    </div>
  );
}
