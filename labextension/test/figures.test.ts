import { expect, it } from 'vitest';

import { chartImage, fileName } from '../src/chartImage';
import {
  digits,
  figureWords,
  jsonFields,
  points,
  share,
  TOLERANCE_STEPS,
  toleranceStep
} from '../src/figures';
import { rollbackChoices } from '../src/rollback';
import { estimate } from './comparisonDocument';
import { endpoint } from './sidebarWorld';

it('numbers have three significant digits', () => {
  expect([1234.5678, 0.00012345, -2.5, 12345678, 0].map(digits)).toEqual([
    '1230',
    '0.000123',
    '−2.5',
    '1.23e7',
    '0'
  ]);
});

it('a share that is not all is not shown as all of it', () => {
  expect([1, 0.99987, 0.999999, 0.98765, 0].map(share)).toEqual([
    '100 %',
    '99.99 %',
    '> 99.99 %',
    '98.8 %',
    '0 %'
  ]);
  expect(points(0.0123)).toBe('+1.23');
});

it('a figure has its interval, and all digits for the title', () => {
  expect(figureWords(estimate(-1.23456, -2, 0.5, 7), 'milliseconds')).toEqual({
    value: '−1.23 ms',
    interval: '[−2, +0.5]',
    whole: '-1.23456 [-2, 0.5], 95 %, n = 7'
  });
});

it('a tolerance is the nearest step of the slider', () => {
  expect(TOLERANCE_STEPS[toleranceStep(0.011)]).toBe(0.01);
  expect(toleranceStep(0)).toBe(0);
  expect(TOLERANCE_STEPS[toleranceStep(7)]).toBe(1);
});

it('JSON that was cut, or is no object, has no fields', () => {
  expect(jsonFields('{"a": 1, "b": "x y", "c": [1]}')).toEqual([
    ['a', '1'],
    ['b', 'x y'],
    ['c', '[1]']
  ]);
  expect(jsonFields('{"a": 1, "b…')).toBeNull();
  expect(jsonFields('[1, 2]')).toBeNull();
});

it('a rollback offers each earlier state once, and always its default', () => {
  const row = (
    revision: number,
    state: string
  ): ReturnType<typeof endpoint>['history'][number] => ({
    revision,
    at: '2026-11-26T02:00:00Z',
    by: 'ana',
    what: '',
    reason: '',
    diffs: [],
    state
  });
  const view = endpoint({
    revision: 6,
    previous: 5,
    history: [row(6, 'b'), row(5, 'b'), row(4, 'a, b'), row(3, 'a'), row(2, 'a'), row(1, 'a')]
  });
  expect(rollbackChoices(view, 5).map(one => [one.revision, one.isDefault])).toEqual([
    [5, true],
    [4, false],
    [3, false]
  ]);
  expect(rollbackChoices(view, 2).map(one => one.revision)).toEqual([5, 4, 3, 2]);
});

it('a saved chart has its title, and each part below the other', () => {
  document.body.innerHTML =
    '<svg width="100" height="50"><path d="M0 0"/></svg><svg viewBox="0 0 80 40"/>';
  const parts = [...document.querySelectorAll('svg')];
  const image = chartImage(parts, 'A < B', { ink: 'black', background: 'white' });
  expect([image.width, image.height]).toEqual([124, 140]);
  expect(image.svg).toContain('A &lt; B');
  expect(image.svg).toMatch(/<svg[^>]* y="88"/);
  expect(fileName('Latency: p50 / p95', 'png')).toBe('latency-p50-p95.png');
});
