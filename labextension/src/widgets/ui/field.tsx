import * as React from 'react';

import type { FieldProblem } from '../../generated';
import { inForms } from '../../namedCommands';

/** The attributes that connect a control with its label, help and problem for a screen reader. */
export interface ControlProps {
  id: string;
  'aria-invalid': boolean;
  'aria-describedby': string;
}

export interface FieldProps {
  label: string;
  help?: React.ReactNode;
  problems: readonly FieldProblem[];
  children: (control: ControlProps) => React.ReactNode;
}

/** One labelled control with its help and its problem. */
export function Field({ label, help, problems, children }: FieldProps): React.ReactElement {
  const id = React.useId();
  return (
    <div className="nbdeploy-field" data-wrong={problems.length > 0}>
      <label htmlFor={id}>{label}</label>
      <div className="nbdeploy-control">
        {children({
          id,
          'aria-invalid': problems.length > 0,
          'aria-describedby': `${id}-problem ${id}-help`
        })}
        <Notes id={id} problems={problems} help={help} />
      </div>
    </div>
  );
}

/** Several controls under one legend. */
export function FieldGroup({
  label,
  help,
  problems,
  children
}: Omit<FieldProps, 'children'> & { children: React.ReactNode }): React.ReactElement {
  const id = React.useId();
  return (
    <div
      role="group"
      className="nbdeploy-field"
      data-wrong={problems.length > 0}
      aria-labelledby={`${id}-label`}
      aria-describedby={`${id}-problem ${id}-help`}
    >
      <span id={`${id}-label`} className="nbdeploy-label">
        {label}
      </span>
      <div className="nbdeploy-control">
        {children}
        <Notes id={id} problems={problems} help={help} />
      </div>
    </div>
  );
}

/** The problems of a field, then its help. */
function Notes(props: Pick<FieldProps, 'problems' | 'help'> & { id: string }): React.ReactElement {
  const { id, problems, help } = props;
  return (
    <>
      <Problems id={`${id}-problem`} problems={problems} />
      {help ? (
        <p id={`${id}-help`} className="nbdeploy-help">
          {help}
        </p>
      ) : null}
    </>
  );
}

/**
 * The problems of a field. The element always exists, so that screen readers announce new problems.
 */
export function Problems({
  id,
  problems
}: {
  id: string;
  problems: readonly FieldProblem[];
}): React.ReactElement {
  return (
    <div id={id} className="nbdeploy-problems" aria-live="polite">
      {problems.map(problem => (
        <p key={problem.message}>
          {sentence(problem.message.split('\n')[0] ?? '')}
          {problem.remedy ? <span> {advice(problem.remedy)}</span> : null}
        </p>
      ))}
    </div>
  );
}

/** Words of the language with which messages begin; any other one may be a name. */
const FIRST_WORDS = /^(an?|the|th(ere|is|at|ese)|its?|no|nothing|not|each|every|all|only|its)(?= )/;

/**
 * A message of the core, which begins with a small letter and has no full stop. A name at its
 * beginning, such as that of a function, keeps its letters.
 */
export function sentence(words: string): string {
  return FIRST_WORDS.test(words.trim()) ? advice(words) : stopped(inForms(words.trim()));
}

/** A remedy of the core: it begins with a verb. */
export function advice(words: string): string {
  const text = inForms(words.trim());
  const isWord = /^[a-z][a-z]*[ ,]/.test(text);
  return stopped(isWord ? text.charAt(0).toUpperCase() + text.slice(1) : text);
}

function stopped(text: string): string {
  return text === '' || /[.?!…:]$/.test(text) ? text : `${text}.`;
}

/** Suggested values; the user can type any other. */
export function Suggestions(props: { id: string; choices: readonly string[] }): React.ReactElement {
  return (
    <datalist id={props.id}>
      {props.choices.map(choice => (
        <option key={choice} value={choice} />
      ))}
    </datalist>
  );
}

export interface TextInputProps {
  control: ControlProps;
  value: string;
  change: (value: string) => void;
  placeholder?: string;
  suggestions?: readonly string[];
  onBlur?: () => void;
  name?: string;
  required?: boolean;
  inputMode?: 'text' | 'numeric' | 'decimal';
}

/** The input of one line, with suggestions if there are any. */
export function TextInput(props: TextInputProps & { className?: string }): React.ReactElement {
  const { control, change, suggestions = [], className = '', ...given } = props;
  const offered = `${control.id}-offered`;
  return (
    <>
      <input
        {...given}
        {...control}
        type="text"
        className={`jp-mod-styled ${className}`}
        spellCheck={false}
        autoComplete="off"
        {...(suggestions.length > 0 && { list: offered })}
        onChange={event => {
          change(event.target.value);
        }}
      />
      {suggestions.length > 0 ? <Suggestions id={offered} choices={suggestions} /> : null}
    </>
  );
}

/** The input of an expression or a name. */
export function CodeInput(props: TextInputProps): React.ReactElement {
  return <TextInput {...props} className="nbdeploy-code" />;
}
