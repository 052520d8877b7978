import { describe, expect, it } from 'vitest';

import { elapsed, LOG_LINES, noProgress, share, withEvent } from '../src/progress';
import { event, job } from './made/deploying';

const underway = (given: object): object => ({
  run: 0,
  title: 'a.ipynb',
  state: 'running',
  cell: 0,
  cells: 4,
  words: '',
  side: 'candidate',
  seconds: 0,
  ...given
});

describe('the events of a job', () => {
  it('is each step once, in its order', () => {
    const latest = [
      event('step', { number: 1, total: 2, title: 'capturing' }),
      event('step', { number: 1, total: 2, title: 'capturing' }),
      event('step', { number: 2, total: 2, title: 'starting' })
    ].reduce(withEvent, noProgress);
    expect(latest.steps.map(step => step.title)).toEqual(['capturing', 'starting']);
  });

  it('is a search with its last leaderboard, since it began', () => {
    const board = (score: string): object => ({
      metric: 'accuracy',
      rows: [{ name: 'linear', score, trial: 1, trials: 1 }]
    });
    const latest = [
      event('step', { number: 2, total: 4, title: 'searching' }),
      event('step', { number: 2, total: 4, title: 'trial 1', board: board('0.8') }),
      event('step', { number: 2, total: 4, title: 'trial 2', board: board('0.9') }),
      event('step', { number: 3, total: 4, title: 'training' })
    ].reduce(withEvent, noProgress);
    expect(latest.steps.map(step => step.title)).toEqual(['trial 2', 'training']);
    expect(latest.steps[0]?.board?.rows[0]?.score).toBe('0.9');
  });

  it('is the last of each run, with the run against stable', () => {
    const latest = [
      event('underway', underway({ run: 1, title: 'b.ipynb', state: 'waiting' })),
      event('underway', underway({ cell: 2 })),
      event('underway', underway({ cell: 1, side: 'stable' })),
      event('underway', underway({ run: 1, title: 'b.ipynb', state: 'not run' }))
    ].reduce(withEvent, noProgress);
    expect(latest.runs.map(run => run.latest.title)).toEqual(['a.ipynb', 'b.ipynb']);
    expect(latest.runs.map(share)).toEqual([3 / 8, 0]);
    const ended = withEvent(latest, event('underway', underway({ state: 'pass', side: 'stable' })));
    expect(ended.runs.map(share)).toEqual([1, 0]);
  });

  it('is the end of a long log', () => {
    const text = Array.from({ length: LOG_LINES + 5 }, (_, n) => `line ${String(n)}`).join('\n');
    const latest = [event('log', { text: `${text}\n` }), event('log', { text: 'last' })].reduce(
      withEvent,
      noProgress
    );
    expect(latest.log).toHaveLength(LOG_LINES);
    expect(latest.log.at(-1)).toBe('last');
  });
});

it('formats the duration of a job', () => {
  const begun = Date.parse('2026-11-26T10:00:00Z');
  expect(elapsed(job(), begun + 65_000)).toBe('1:05');
  expect(elapsed(job({ ended_at: '2026-11-26T12:00:07Z' }), begun)).toBe('2:00:07');
  expect(elapsed(job(), begun - 5000)).toBe('0:00'); // the browser's clock is behind
});
