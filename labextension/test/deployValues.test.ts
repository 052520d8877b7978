import { describe, expect, it } from 'vitest';

import {
  emptyValues,
  initialValues,
  nextRole,
  requestOf,
  valuesOf,
  withModel,
  withName,
  withRole
} from '../src/deploy/deployValues';
import { context, model, report } from './made/deploying';

const checks = {
  path: '/work/checks/accuracy.ipynb',
  title: 'accuracy',
  of: '',
  gates: ['accuracy >= 0.9'],
  parameters: {}
};

describe('the initial values of the dialog', () => {
  it('has the best model, its best example, and the folder’s name', () => {
    const values = initialValues(report(model('clf'), model('other')), context());
    expect(values).toMatchObject({ model: 'clf', example: 'X_test[:5]', name: 'churn' });
    expect(requestOf(values, context())).toEqual({
      model: 'clf',
      name: 'churn',
      example: 'X_test[:5]'
    });
  });

  it('is a shadow with all copies where an endpoint is there', () => {
    const around = context({ endpoints: { churn: 'shadow' } });
    const values = initialValues(report(model('clf')), around);
    expect(values).toMatchObject({ role: 'shadow', percent: '100' });
    // Who deploys an unchanged model, which is stable, does not ask for another role.
    expect(requestOf(values, around)).not.toHaveProperty('role');
    expect(requestOf(values, around)).not.toHaveProperty('percent');
  });

  it('selects notebooks with gates for this model, and none if the endpoint has gates', () => {
    const plain = { ...checks, path: '/work/plain.ipynb', gates: [] };
    const others = { ...checks, path: '/work/validate_wine.ipynb', of: 'wine.ipynb' };
    const fresh = context({ notebooks: [checks, plain, others] });
    expect(initialValues(report(model('clf')), fresh).notebooks).toEqual([checks.path]);
    const asked = context({ notebooks: [checks], asked: ['accuracy.ipynb'] });
    expect(initialValues(report(model('clf')), asked).notebooks).toEqual([]);
  });

  it('is the last deploy again if its model is still there', () => {
    const last = {
      release: 'churn:1',
      at: '2026-01-01T00:00:00Z',
      model: 'net',
      method: 'predict_proba',
      example: 'batch[:3]',
      nullable: ['age']
    };
    const again = context({ last });
    expect(initialValues(report(model('clf'), model('net')), again)).toMatchObject({
      model: 'net',
      method: 'predict_proba',
      example: 'batch[:3]',
      nullable: ['age']
    });
    expect(initialValues(report(model('clf')), again)).toMatchObject({
      model: 'clf',
      method: '',
      example: 'X_test[:5]',
      nullable: []
    });
    const unknown = context({ last: { ...last, method: 'predict', example: null } });
    expect(initialValues(report(model('net')), unknown)).toMatchObject({
      method: '',
      example: 'X_test[:5]'
    });
  });

  it('asks about an unusual model', () => {
    const detector = model('detector', { unusual: true });
    expect(initialValues(report(detector), context())).toMatchObject({ model: '', example: '' });
  });

  it('is empty fields where there is no model', () => {
    expect(initialValues(report(), context())).toMatchObject({ model: '', example: '' });
  });
});

describe('a change of one field', () => {
  const both = report(
    model('clf'),
    model('net', { examples: [{ expression: 'batch', words: 'a tensor', placeholder: false }] })
  );
  const around = context({ endpoints: { churn: 'shadow' } });

  it('takes another model’s example in the place of a guessed one alone', () => {
    const values = initialValues(both, context());
    expect(withModel(values, 'net', both, around).example).toBe('batch');
    expect(withModel({ ...values, example: 'mine()' }, 'net', both, around).example).toBe('mine()');
  });

  it('lets the role follow the name until one is chosen', () => {
    const values = initialValues(both, around);
    const fresh = withName(values, 'new', around, true);
    expect(fresh.role).toBe('stable'); // a first release cannot be anything else
    expect(withName(fresh, 'churn', around, false).role).toBe('shadow');
    const canary = withRole(values, 'canary');
    expect(canary.percent).toBe('10');
    expect(withName(canary, 'churn', around, true).role).toBe('canary');
  });

  it('does not take a name that every object has for an endpoint', () => {
    expect(nextRole('constructor', around)).toBe('stable');
  });
});

it('a request has the typed values without empty and default ones', () => {
  const around = context({ endpoints: { churn: 'shadow' } });
  const values = {
    ...initialValues(report(model('clf')), around),
    role: 'canary' as const,
    percent: ' 25 ',
    gates: ['', ' accuracy >= 0.9 '],
    include: 'a.csv\n\n b.csv \n',
    reason: 'why',
    strict: true,
    waive: ['leakage'],
    engine: 'auto' as const,
    acceptedDifference: ' 0.01 ',
    record: 'meta' as const,
    sample: ' 7 ',
    redact: 'ssn\n\n iban \n',
    secret: 'DB_URL = env:PROD_DB\nTOKEN=file:/run/a=b\n',
    resources: { ...emptyValues.resources, workers: ' 4', memory: '512MB ' }
  };
  const request = requestOf(values, around);
  expect(request).toEqual({
    model: 'clf',
    name: 'churn',
    example: 'X_test[:5]',
    reason: 'why',
    role: 'canary',
    percent: 25,
    gate: ['accuracy >= 0.9'],
    include: ['a.csv', 'b.csv'],
    strict: true,
    waive: ['leakage'],
    engine: 'auto',
    accepted_difference: 0.01,
    record: 'meta',
    record_sample: 0.07,
    redact: ['ssn', 'iban'],
    secret: { DB_URL: 'env:PROD_DB', TOKEN: 'file:/run/a=b' },
    resources: { workers: '4', memory: '512MB' }
  });
  expect(requestOf(valuesOf(request, around), around)).toEqual(request);
  expect(valuesOf(request, around).sample).toBe('7');
});
