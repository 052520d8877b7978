/** Small parts that several widgets show. */
import * as React from 'react';

import { labelsOf, type ReleaseCard } from '../../generated';
import { commandsIn, inForms } from '../../namedCommands';
import { type Problem, problemOf } from '../../transport/problem';
import { percent, roleName } from '../../words';
import type { Loaded } from './hooks';
import { useServices } from './services';

type ButtonProps = React.ButtonHTMLAttributes<HTMLButtonElement> & {
  readonly look?: 'primary' | 'plain' | 'quiet' | 'danger';
};

export const Button = React.forwardRef<HTMLButtonElement, ButtonProps>(function Button(
  { look = 'plain', className = '', ...rest },
  ref
) {
  return (
    <button
      type="button"
      ref={ref}
      className={`nbd-Button nbd-mod-${look} ${className}`}
      {...rest}
    />
  );
});

/** A dot with words; the dot's shape gives its meaning without colour. */
export function Health(props: {
  healthy: boolean | null;
  words: string;
  title?: string;
}): React.JSX.Element {
  const { healthy, words } = props;
  const state = healthy === null ? 'unknown' : healthy ? 'good' : 'bad';
  return (
    <span className="nbd-Health" data-state={state} title={props.title ?? words}>
      <i aria-hidden="true">{healthy === null ? '○' : healthy ? '●' : '▲'}</i>
      <span>{words}</span>
    </span>
  );
}

/** A release's role, with its share. */
export function RoleBadge(props: {
  role: ReleaseCard['role'];
  percent: number;
}): React.JSX.Element {
  const { trans } = useServices();
  const name = roleName(trans, props.role);
  return (
    <span className="nbd-Role" data-role={props.role}>
      {props.role === 'idle' ? name : `${name} ${percent(props.percent)}`}
    </span>
  );
}

/** A button for each command of the command line that a message names. */
export function CommandButtons(props: { text: string }): React.JSX.Element | null {
  const { trans, runVerb } = useServices();
  const commands = commandsIn(props.text);
  if (commands.length === 0) return null;
  const labels = labelsOf(trans);
  return (
    <span className="nbd-row nbd-mod-wrap">
      {commands.map(command => (
        <Button
          key={command.text}
          title={command.text}
          onClick={() => {
            runVerb(command);
          }}
        >
          {labels[command.verb]}
        </Button>
      ))}
    </span>
  );
}

/** A problem and its remedy. */
export function Notice(props: {
  problem: Problem;
  before?: string;
  children?: React.ReactNode;
}): React.JSX.Element {
  const { problem, before = '', children } = props;
  return (
    <div className="nbd-Notice" role="alert">
      <p className="nbd-Notice-what">
        {before}
        {inForms(problem.message)}
      </p>
      {problem.lines.length > 0 && (
        <ul>
          {problem.lines.map((line, i) => (
            <li key={i}>{inForms(line)}</li>
          ))}
        </ul>
      )}
      {problem.details && <pre>{problem.details}</pre>}
      {problem.remedy && <p>→ {inForms(problem.remedy)}</p>}
      <CommandButtons text={`${problem.message} ${problem.remedy}`} />
      {children !== undefined && <div className="nbd-row">{children}</div>}
    </div>
  );
}

/** A load that failed, with a button that repeats it. `before` precedes the message. */
export function LoadFailure(props: {
  loaded: Pick<Loaded<unknown>, 'error' | 'reload'>;
  before?: string;
}): React.JSX.Element {
  const { loaded, before = '' } = props;
  const { trans } = useServices();
  return (
    <Notice problem={problemOf(loaded.error)} before={before}>
      <Button onClick={loaded.reload}>{trans.__('Refresh')}</Button>
    </Notice>
  );
}

/** An empty list: what it will show, and the next step. */
export function Empty(props: {
  title: string;
  text: string;
  children?: React.ReactNode;
}): React.JSX.Element {
  return (
    <div className="nbd-Empty">
      <h3>{props.title}</h3>
      <p>{props.text}</p>
      {props.children}
    </div>
  );
}

/** The first load. */
export function Waiting(props: { words: string }): React.JSX.Element {
  return (
    <p className="nbd-Waiting" role="status">
      {props.words}
    </p>
  );
}

/** Copies a text; says so if the browser has no clipboard. */
export function Copy(props: {
  text: string;
  label: string;
  /** The button's word; default: Copy. */
  word?: string;
}): React.JSX.Element {
  const { trans, copy, say } = useServices();
  const [done, setDone] = React.useState<boolean | null>(null);
  React.useEffect(() => {
    if (done === null) return undefined;
    const timer = setTimeout(() => {
      setDone(null);
    }, 1500);
    return () => {
      clearTimeout(timer);
    };
  }, [done]);
  const words =
    done === null
      ? (props.word ?? trans.__('Copy'))
      : done
        ? trans.__('Copied')
        : trans.__('Not copied');
  return (
    <Button
      look="quiet"
      aria-label={props.label}
      onClick={() => {
        void copy(props.text).then(ok => {
          setDone(ok);
          say(
            ok
              ? trans.__('Copied')
              : trans.__('The browser denies access to the clipboard. Select the text instead.')
          );
        });
      }}
    >
      {words}
    </Button>
  );
}

/** Requests a second as a line, the latest at the right. */
export function Sparkline(props: { rates: readonly number[] }): React.JSX.Element {
  const { rates } = props;
  const most = Math.max(...rates, 1);
  const step = 100 / 59;
  const points = rates
    .map((rate, i) => {
      const x = 100 - (rates.length - 1 - i) * step;
      return `${x.toFixed(1)},${(22 - (rate / most) * 20).toFixed(1)}`;
    })
    .join(' ');
  return (
    <svg className="nbd-Spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points} />
    </svg>
  );
}

/**
 * An on/off control that the caller confirms: it shows `on`, and whether a change is in progress.
 */
export function Switch(props: {
  on: boolean;
  busy: boolean;
  label: string;
  title: string;
  onToggle: () => void;
}): React.JSX.Element {
  return (
    <button
      type="button"
      role="switch"
      className="nbd-Switch"
      aria-checked={props.on}
      aria-busy={props.busy}
      aria-label={props.label}
      title={props.title}
      onClick={props.onToggle}
    >
      <i aria-hidden="true" />
    </button>
  );
}
