import { expect, it } from 'vitest';

import { LINK_PATTERN, linkTo, targetOf, withoutTarget } from '../src/links';

it('a link leads to its endpoint and section, and has no token', () => {
  const link = linkTo('https://hub.example/user/ada/lab?token=abc#x', 'churn', 'logs');
  expect(link).toBe('https://hub.example/user/ada/lab?nbdeploy=churn&section=logs');
  expect(LINK_PATTERN.test(link)).toBe(true);
  expect(targetOf(new URL(link).search)).toEqual({ name: 'churn', section: 'logs' });
});

it('an unknown section is the releases, and other parameters stay', () => {
  expect(targetOf('?nbdeploy=a%20b&section=nowhere')).toEqual({ name: 'a b', section: 'releases' });
  expect(targetOf('?reset')).toBeNull();
  expect(withoutTarget('?nbdeploy=churn&section=logs&reset=')).toBe('?reset=');
  expect(withoutTarget('?nbdeploy=churn')).toBe('');
});
