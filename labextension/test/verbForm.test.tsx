import { nullTranslator } from '@jupyterlab/translation';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import * as React from 'react';
import { describe, expect, it, vi } from 'vitest';

import { problemError } from '../src/transport/request';
import { again, fieldsOf, readForm, type Schema } from '../src/verbFields';
import { VerbForm, type VerbFormProps } from '../src/widgets/verbs/verbForm';

const trans = nullTranslator.load('nbdeploy');

/** As pydantic writes the kinds of fields that there are. */
const SCHEMA: Schema = {
  required: ['name'],
  properties: {
    name: { type: 'string', description: "The endpoint's name.", positional: true },
    shadow: { type: 'object', additionalProperties: { type: 'number' }, default: {} },
    record: { anyOf: [{ type: 'string', enum: ['full', 'off'] }, { type: 'null' }], default: null },
    workers: { type: 'integer', default: 1, minimum: 1, maximum: 64 },
    gate: { type: 'array', items: { type: 'string' }, default: [] },
    parameter: {
      anyOf: [{ type: 'object' }, { type: 'array', items: { type: 'string' } }],
      default: []
    },
    since: {
      anyOf: [{ type: 'string' }, { type: 'string' }, { type: 'null' }],
      default: null
    },
    data: { default: null },
    force: { type: 'boolean', default: false },
    if_revision: { anyOf: [{ type: 'integer' }, { type: 'null' }], default: null }
  }
};
const FIELDS = fieldsOf(SCHEMA);

describe('the fields of a verb', () => {
  it('have a control for each field of the request but the revision', () => {
    expect(Object.fromEntries(FIELDS.map(field => [field.name, field.kind]))).toEqual({
      name: 'text',
      shadow: 'shares',
      record: 'choice',
      workers: 'integer',
      gate: 'lines',
      parameter: 'lines',
      since: 'text',
      data: 'json',
      force: 'boolean'
    });
  });

  it('are visible if they are important, and others on demand', () => {
    const properties = {
      name: { type: 'string', positional: true },
      to: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null, important: true },
      base: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null }
    };
    const fields = fieldsOf({ properties });
    expect(fields.filter(field => field.important).map(field => field.name)).toEqual([
      'name',
      'to'
    ]);
  });

  it('have no control for a confirmation: the form is the confirmation', () => {
    const fields = fieldsOf({
      properties: {
        name: { type: 'string', positional: true },
        yes: { type: 'boolean', default: false, confirmation: true }
      },
      required: ['name']
    });
    expect(readForm(fields, { name: 'tumour' }, trans).request).toEqual({
      name: 'tumour',
      yes: true
    });
    expect(fields.filter(field => field.important).map(field => field.name)).toEqual(['name']);
  });

  it('take a file where they take any value, and show problems of JSON', () => {
    const data = (text: string) => readForm(FIELDS, { name: 'tumour', data: text }, trans);
    expect(data(' actuals.csv ').request.data).toBe('actuals.csv');
    expect(data('@rows.json').request.data).toBe('@rows.json');
    expect(data('[1, 2]').request.data).toEqual([1, 2]);
    expect(data('[1, 2').problems).toHaveProperty('data');
  });

  it('send the typed values and nothing else', () => {
    const texts = {
      name: 'tumour',
      shadow: 'clf:a1 = 20%\n\nclf:b=5',
      record: '',
      workers: '4',
      gate: 'accuracy >= 0.9\n',
      data: '[{"age": 3}]',
      force: 'true'
    };
    expect(readForm(FIELDS, texts, trans)).toEqual({
      request: {
        name: 'tumour',
        shadow: { 'clf:a1': 20, 'clf:b': 5 },
        workers: 4,
        gate: ['accuracy >= 0.9'],
        data: [{ age: 3 }],
        force: true
      },
      problems: {}
    });
  });

  it('show problems', () => {
    const { problems } = readForm(FIELDS, { shadow: 'clf', workers: '65', data: '{' }, trans);
    expect(Object.keys(problems)).toEqual(['name', 'shadow', 'workers', 'data']);
    expect(problems.workers).toBe('more than 64');
  });
});

describe('a former request', () => {
  it('becomes texts, and values without a control are kept', () => {
    const { texts, kept } = again({
      source: 'churn:a',
      waive: ['leakage', 'drift'],
      percent: 5,
      model: null,
      choice: { metric: 'accuracy' },
      force: true,
      reason: 'at once'
    });
    expect(texts).toEqual({ source: 'churn:a', waive: 'leakage\ndrift', percent: '5' });
    expect(kept).toEqual({ choice: { metric: 'accuracy' } });
    expect(again({ waive: ['drift'], reason: 'it is known' }).texts.reason).toBe('it is known');
  });
});

describe('VerbForm', () => {
  function show(given: Partial<VerbFormProps> = {}): {
    send: ReturnType<typeof vi.fn>;
    close: ReturnType<typeof vi.fn>;
  } {
    const send = vi.fn(async () => Promise.resolve());
    const close = vi.fn();
    render(
      <VerbForm
        summary="Set the shares."
        action="Change Traffic"
        warns={false}
        fields={FIELDS}
        given={{}}
        suggestions={{ name: ['tumour'] }}
        send={send}
        close={close}
        trans={trans}
        {...given}
      />
    );
    return { send, close };
  }

  it('asks when it is submitted by Enter, and closes', async () => {
    const { send, close } = show();
    await userEvent.type(screen.getByLabelText('Name'), 'tumour{Enter}');
    expect(send).toHaveBeenCalledWith({ name: 'tumour' });
    expect(close).toHaveBeenCalled();
  });

  it('sends no request while a value is missing, and shows that at its field', async () => {
    const { send } = show();
    await userEvent.click(screen.getByRole('button', { name: 'Change Traffic' }));
    expect(send).not.toHaveBeenCalled();
    const control = screen.getByLabelText('Name');
    expect(control).toBeInvalid();
    expect(control).toHaveAccessibleDescription(/A value is required\. The endpoint's name\./);
  });

  it('stays open and shows the server’s problem at its field', async () => {
    const { close } = show({
      given: { name: 'x' },
      send: async () => {
        await Promise.reject(
          problemError({
            code: 'invalid_input',
            title: 'The request is invalid',
            status: 422,
            errors: [{ loc: ['since'], msg: 'no such time' }]
          })
        );
      }
    });
    await userEvent.click(screen.getByRole('button', { name: 'Change Traffic' }));
    expect(close).not.toHaveBeenCalled();
    expect(screen.getByLabelText('Since')).toBeInvalid();
    expect(screen.getByRole('alert')).toHaveTextContent('The request is invalid');
  });
});
