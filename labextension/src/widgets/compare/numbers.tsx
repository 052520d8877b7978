/** Answers that are numbers: the tolerance, and the differences with their intervals. */
import * as React from 'react';

import {
  digits,
  figureWords,
  share,
  TOLERANCE_STEPS,
  type ToleranceChoice,
  toleranceStep
} from '../../figures';
import type { ComparisonView, NumberDifferences } from '../../generated';
import { type Problem, problemOf, problemOfJob } from '../../transport/problem';
import { Button, Notice } from '../ui/parts';
import { useServices } from '../ui/services';

/** The tolerance of this look, or of all looks: the verdict follows each change. */
export function ToleranceControl(props: {
  name: string;
  shown: ComparisonView;
  /** The tolerance that is being tried; null: the one of the endpoint. */
  choice: ToleranceChoice | null;
  /** The comparison is not that of the choice yet. */
  stale: boolean;
  onChoice: (choice: ToleranceChoice | null) => void;
}): React.JSX.Element {
  const { name, shown, choice, stale, onChoice } = props;
  const { trans, job, say } = useServices();
  const id = React.useId();
  const [keeping, setKeeping] = React.useState(false);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const present = choice ?? {
    relative: shown.relative_tolerance,
    absolute: shown.absolute_tolerance
  };
  const origin = {
    request: trans.__('tried in this view, not kept'),
    endpoint: trans.__('kept with %1', name),
    default: trans.__('the default: no verdict is based on numbers until you choose one')
  }[choice ? 'request' : shown.tolerance_from];
  const equal = shown.numbers?.within_tolerance ?? shown.agreement?.value ?? null;
  const keep = async (request: Record<string, number | string>): Promise<void> => {
    setKeeping(true);
    setProblem(null);
    try {
      const ended = await job('traffic', { name, ...request });
      if (ended.state === 'done') {
        onChoice(null);
        say(trans.__('The tolerance is kept with %1', name));
      } else setProblem(problemOfJob(ended));
    } catch (error) {
      setProblem(problemOf(error));
    }
    setKeeping(false);
  };
  return (
    <form
      className="nbd-Tolerance"
      aria-label={trans.__('Tolerance')}
      aria-busy={stale || keeping}
      onSubmit={event => {
        event.preventDefault();
        if (choice) void keep({ tolerance: choice.relative, absolute_tolerance: choice.absolute });
      }}
    >
      <div className="nbd-row nbd-mod-wrap">
        <label htmlFor={`${id}-relative`}>{trans.__('Equal within')}</label>
        <input
          type="range"
          min={0}
          max={TOLERANCE_STEPS.length - 1}
          step={1}
          value={toleranceStep(present.relative)}
          aria-label={trans.__("Relative tolerance, a share of stable's number")}
          aria-valuetext={`${digits(present.relative * 100)} %`}
          onChange={event => {
            const relative = TOLERANCE_STEPS[Number(event.target.value)] ?? present.relative;
            onChoice({ ...present, relative });
          }}
        />
        <NumberField
          id={`${id}-relative`}
          value={present.relative * 100}
          onValue={percent => {
            onChoice({ ...present, relative: percent / 100 });
          }}
        />
        <span>{trans.__("% of stable's, or within")}</span>
        <NumberField
          id={`${id}-absolute`}
          label={trans.__("Absolute tolerance, in the answers' unit")}
          value={present.absolute}
          onValue={absolute => {
            onChoice({ ...present, absolute });
          }}
        />
      </div>
      <div className="nbd-row nbd-mod-wrap">
        <output aria-live="polite">
          {equal !== null && !stale
            ? trans.__('%1 of the rows are equal', share(equal))
            : trans.__('Comparing …')}
        </output>
        <span className="nbd-faint">{origin}</span>
        <span className="nbd-row nbd-mod-right">
          {choice && (
            <>
              <Button type="submit" look="primary" disabled={keeping}>
                {trans.__('Keep')}
              </Button>
              <Button
                onClick={() => {
                  onChoice(null);
                }}
              >
                {trans.__('Undo')}
              </Button>
            </>
          )}
          {!choice && shown.tolerance_from === 'endpoint' && (
            <Button
              disabled={keeping}
              onClick={() => void keep({ tolerance: 'default', absolute_tolerance: 'default' })}
            >
              {trans.__('Back to the default')}
            </Button>
          )}
        </span>
      </div>
      {problem && <Notice problem={problem} />}
    </form>
  );
}

/** A number that users type; it counts when it is one, not negative. */
function NumberField(props: {
  id: string;
  label?: string;
  value: number;
  onValue: (value: number) => void;
}): React.JSX.Element {
  const { id, label, value, onValue } = props;
  const [draft, setDraft] = React.useState<string | null>(null);
  const text = draft ?? String(Number(value.toPrecision(6)));
  const wrong = text.trim() === '' || !(Number(text) >= 0) || !Number.isFinite(Number(text));
  return (
    <input
      id={id}
      type="text"
      inputMode="decimal"
      size={8}
      value={text}
      aria-label={label}
      aria-invalid={wrong}
      onChange={event => {
        const typed = event.target.value;
        setDraft(typed);
        const number = Number(typed);
        if (typed.trim() !== '' && number >= 0 && Number.isFinite(number)) onValue(number);
      }}
      onBlur={() => {
        setDraft(null);
      }}
    />
  );
}

/** Bias, spread and quantiles; three digits, all of them in the title. */
export function NumberFigures({ numbers }: { numbers: NumberDifferences }): React.JSX.Element {
  const { trans } = useServices();
  const { bias, spread, relative, absolute } = numbers;
  const missing = trans.__('not enough evidence');
  const rows: [string, string, string, string][] = [
    row(trans.__('bias (median of candidate − stable)'), bias, 'signed'),
    row(trans.__('spread (of the middle half)'), spread, 'number')
  ];
  const quantiles: Record<string, string> = {
    p50: trans.__('half of the rows'),
    p90: trans.__('90 % of the rows'),
    p99: trans.__('99 % of the rows'),
    max: trans.__('all rows')
  };
  function row(
    name: string,
    figure: typeof bias,
    kind: 'signed' | 'number'
  ): [string, string, string, string] {
    if (!figure) return [name, '–', missing, ''];
    const { value, interval, whole } = figureWords(figure, kind);
    return [name, value, interval, whole];
  }
  return (
    <div className="nbd-NumberFigures">
      <dl className="nbd-Figures">
        {rows.map(([name, value, interval, whole]) => (
          <div key={name} title={whole}>
            <dt>{name}</dt>
            <dd>
              <strong>{value}</strong> <span className="nbd-faint">{interval}</span>
            </dd>
          </div>
        ))}
        <div title={String(numbers.mean)}>
          <dt>{trans.__('mean of candidate − stable')}</dt>
          <dd>
            <strong>{digits(numbers.mean)}</strong>
          </dd>
        </div>
      </dl>
      <h4>{trans.__('Size of the differences')}</h4>
      <table className="nbd-Table nbd-mod-numbers nbd-Figured">
        <thead>
          <tr>
            <th scope="col">{trans.__('at most, in')}</th>
            <th scope="col">{trans.__('relative')}</th>
            <th scope="col">{trans.__('absolute')}</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(quantiles).map(([name, words]) => {
            const size = relative[name];
            const said = size && figureWords(size, 'share');
            const gap = absolute[name as keyof typeof absolute];
            return (
              <tr key={name}>
                <th scope="row">{words}</th>
                <td data-label={trans.__('relative')} title={said?.whole}>
                  {said?.value ?? '–'} <span className="nbd-faint">{said?.interval}</span>
                </td>
                <td
                  data-label={trans.__('absolute')}
                  title={gap === undefined ? undefined : String(gap)}
                >
                  {gap === undefined ? '–' : digits(gap)}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
