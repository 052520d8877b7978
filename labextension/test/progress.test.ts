import { describe, expect, it } from 'vitest';

import { after, elapsed, LOG_LINES, nothing, share } from '../src/progress';
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

describe('what events tell', () => {
  it('is each step once, in its order', () => {
    const told = [
      event('step', { number: 1, total: 2, title: 'capturing' }),
      event('step', { number: 1, total: 2, title: 'capturing' }),
      event('step', { number: 2, total: 2, title: 'starting' })
    ].reduce(after, nothing);
    expect(told.steps.map(step => step.title)).toEqual(['capturing', 'starting']);
  });

  it('is the last of each run, with its asking stable beside it', () => {
    const told = [
      event('underway', underway({ run: 1, title: 'b.ipynb', state: 'waiting' })),
      event('underway', underway({ cell: 2 })),
      event('underway', underway({ cell: 1, side: 'stable' })),
      event('underway', underway({ run: 1, title: 'b.ipynb', state: 'not run' }))
    ].reduce(after, nothing);
    expect(told.runs.map(run => run.told.title)).toEqual(['a.ipynb', 'b.ipynb']);
    expect(told.runs.map(share)).toEqual([3 / 8, 0]);
    const ended = after(told, event('underway', underway({ state: 'pass', side: 'stable' })));
    expect(ended.runs.map(share)).toEqual([1, 0]);
  });

  it('is the end of a long log', () => {
    const text = Array.from({ length: LOG_LINES + 5 }, (_, n) => `line ${String(n)}`).join('\n');
    const told = [event('log', { text: `${text}\n` }), event('log', { text: 'last' })].reduce(
      after,
      nothing
    );
    expect(told.log).toHaveLength(LOG_LINES);
    expect(told.log.at(-1)).toBe('last');
  });
});

it('says how long a job went on, or goes on', () => {
  const begun = Date.parse('2026-11-26T10:00:00Z');
  expect(elapsed(job(), begun + 65_000)).toBe('1:05');
  expect(elapsed(job({ ended_at: '2026-11-26T12:00:07Z' }), begun)).toBe('2:00:07');
  expect(elapsed(job(), begun - 5000)).toBe('0:00'); // the browser's clock is behind
});
