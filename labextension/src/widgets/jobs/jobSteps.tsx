import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Job, Leaderboard } from '../../generated';
import { hasEnded } from '../../jobs';
import type { Step } from '../../progress';
import { Icon } from '../ui/icon';

export interface JobStepsProps {
  job: Job;
  steps: readonly Step[];
  trans: TranslationBundle;
}

/** The steps that are done, the present one, and the number of all. */
export function JobSteps({ job, steps, trans }: JobStepsProps): React.ReactElement | null {
  const toCome = hasEnded(job) ? 0 : Math.max(0, job.steps - job.number);
  if (!steps.length) return null;
  const shown = (index: number): React.ReactElement | null => {
    const step = steps[index];
    if (!step) return null;
    const state = stateOf(index, steps.length - 1, job);
    const until = steps[index + 1]?.at ?? job.ended_at;
    return <StepRow key={index} step={step} state={state} until={until} trans={trans} />;
  };
  return (
    <ol className="nbdeploy-steps" aria-label={trans.__('Steps')}>
      {folded(steps).map(part =>
        part.length === 1 ? (
          shown(part[0] ?? 0)
        ) : (
          <li key={`from ${String(part[0])}`} className="nbdeploy-mod-folded">
            <details>
              <summary>{trans.__('%1 steps in between', part.length)}</summary>
              <ol>{part.map(shown)}</ol>
            </details>
          </li>
        )
      )}
      {toCome ? (
        <li data-state="to-come">
          <StepMark state="to-come" />
          <span>{trans._n('%1 more step', '%1 more steps', toCome)}</span>
        </li>
      ) : null}
    </ol>
  );
}

/** So many events of one step are shown; of more, the first and the last, and the rest on demand. */
const MOST_SHOWN = 6;

/** The places of the events: each alone, or those together that are shown on demand. */
function folded(steps: readonly Step[]): number[][] {
  const parts: number[][] = [];
  let from = 0;
  while (from < steps.length) {
    const after = steps.findIndex((step, at) => at > from && step.number !== steps[from]?.number);
    const end = after < 0 ? steps.length : after;
    const all = Array.from({ length: end - from }, (_, at) => from + at);
    if (all.length <= MOST_SHOWN) parts.push(...all.map(one => [one]));
    else parts.push([from], all.slice(1, -1), [end - 1]);
    from = end;
  }
  return parts;
}

function stateOf(index: number, last: number, job: Job): string {
  if (index < last || job.state === 'done') return 'done';
  return hasEnded(job) ? job.state : 'present';
}

function StepRow(props: {
  step: Step;
  state: string;
  until: string | null | undefined;
  trans: TranslationBundle;
}): React.ReactElement {
  const { step, state, until, trans } = props;
  const words: Record<string, string> = {
    done: trans.__('done'),
    present: trans.__('in progress'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  return (
    <li data-state={state} aria-current={state === 'present' ? 'step' : undefined}>
      <StepMark state={state} />
      <span>{capital(step.title)}</span>
      <span className="nbdeploy-unseen">{words[state]}</span>
      <time>{seconds(step, until)}</time>
      {step.board && step.board.rows.length > 0 ? <Board board={step.board} trans={trans} /> : null}
    </li>
  );
}

/** The best scores of a search so far. */
function Board({
  board,
  trans
}: {
  board: Leaderboard;
  trans: TranslationBundle;
}): React.ReactElement {
  return (
    <div className="nbdeploy-board">
      <table>
        <caption className="nbdeploy-unseen">{trans.__('Leaderboard')}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('family')}</th>
            <th scope="col">{trans.__('best %1', board.metric)}</th>
            <th scope="col">{trans.__('in trial')}</th>
            <th scope="col">{trans.__('trials')}</th>
          </tr>
        </thead>
        <tbody>
          {board.rows.map(row => (
            <tr key={row.name}>
              <th scope="row">{row.name}</th>
              <td>{row.score}</td>
              <td>{row.trial}</td>
              <td>{row.trials}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function StepMark({ state }: { state: string }): React.ReactElement {
  return (
    <span className="nbdeploy-mark" data-state={state} aria-hidden="true">
      {state === 'done' ? <Icon name="check" size={12} /> : null}
      {state === 'failed' ? '✗' : null}
      {state === 'cancelled' ? '–' : null}
    </span>
  );
}

/** The duration of a step; nothing while it goes on. */
function seconds(step: Step, until: string | null | undefined): string {
  if (!until) return '';
  return `${(Math.max(0, Date.parse(until) - Date.parse(step.at)) / 1000).toFixed(1)} s`;
}

/** A name at the beginning, such as that of a notebook, keeps its letters. */
function capital(words: string): string {
  return /^[a-z]+(?![\w.:])/.test(words) ? words.charAt(0).toUpperCase() + words.slice(1) : words;
}
