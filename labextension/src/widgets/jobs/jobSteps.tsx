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
  const last = steps.length - 1;
  const state = (index: number): string => {
    if (index < last || job.state === 'done') return 'done';
    return hasEnded(job) ? job.state : 'present';
  };
  const words: Record<string, string> = {
    done: trans.__('done'),
    present: trans.__('in progress'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  const toCome = hasEnded(job) ? 0 : Math.max(0, job.steps - job.number);
  if (!steps.length) return null;
  return (
    <ol className="nbdeploy-steps" aria-label={trans.__('Steps')}>
      {steps.map((step, index) => (
        <li
          key={index}
          data-state={state(index)}
          aria-current={state(index) === 'present' ? 'step' : undefined}
        >
          <StepMark state={state(index)} />
          <span>{capital(step.title)}</span>
          <span className="nbdeploy-unseen">{words[state(index)]}</span>
          <time>{seconds(step, steps[index + 1]?.at ?? job.ended_at)}</time>
          {step.board && step.board.rows.length > 0 ? (
            <Board board={step.board} trans={trans} />
          ) : null}
        </li>
      ))}
      {toCome ? (
        <li data-state="to-come">
          <StepMark state="to-come" />
          <span>{trans._n('%1 more step', '%1 more steps', toCome)}</span>
        </li>
      ) : null}
    </ol>
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
    <table className="nbdeploy-board">
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
