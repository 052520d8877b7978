import { expect, it } from 'vitest';

import { advice, sentence } from '../src/widgets/ui/field';

it.each([
  ['there is no example', 'There is no example.'],
  ['priced cannot be pickled', 'priced cannot be pickled.'],
  ['the model, as it is, has no method', 'The model, as it is, has no method.'],
  ['a_b is missing: add it', 'a_b is missing: add it.'],
  ['is it so?', 'is it so?'],
  ['', '']
])('begins the message %j with a capital only if that is no name', (message, shown) => {
  expect(sentence(message)).toBe(shown);
});

it('begins a remedy with a capital', () => {
  expect(advice('give it another name')).toBe('Give it another name.');
});
