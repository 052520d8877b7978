/** Structured answers: the agreement on each field, and the form of texts, lists and images. */
import * as React from 'react';

import { digits, figureWords, share } from '../../figures';
import type { AnswerShape, ComparisonView, FieldAgreement } from '../../generated';
import { useServices } from '../ui/services';

export function Fields({ shown }: { shown: ComparisonView }): React.JSX.Element | null {
  const { trans } = useServices();
  const { fields, fields_total: total } = shown;
  if (fields.length === 0) return null;
  const aspects: Record<FieldAgreement['aspect'], string> = {
    value: trans.__('value'),
    order: trans.__('list, in order'),
    set: trans.__('list, in any order'),
    argmax: trans.__('most likely class'),
    length: trans.__('length')
  };
  return (
    <section>
      <h3>{trans.__('Fields of the answers')}</h3>
      {total > fields.length && (
        <p className="nbd-faint">
          {trans.__('The %1 most different of %2', fields.length, total.toLocaleString())}
        </p>
      )}
      <table className="nbd-Table nbd-mod-numbers nbd-Figured">
        <thead>
          <tr>
            <th scope="col">{trans.__('field')}</th>
            <th scope="col">{trans.__('compared')}</th>
            <th scope="col">{trans.__('agreement')}</th>
            <th scope="col">{trans.__('rows that differ')}</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(one => {
            const said = one.agreement && figureWords(one.agreement, 'share');
            return (
              <tr key={`${one.field} ${one.aspect}`}>
                <th scope="row">
                  <code>{one.field || trans.__('whole answer')}</code>
                </th>
                <td data-label={trans.__('compared')}>{aspects[one.aspect]}</td>
                <td data-label={trans.__('agreement')} title={said?.whole}>
                  {said?.value ?? '–'} <span className="nbd-faint">{said?.interval}</span>
                </td>
                <td data-label={trans.__('rows that differ')} data-bad={one.differ > 0}>
                  {one.differ.toLocaleString()}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

/** What a sample of the answers looks like; probabilities are a chart. */
export function Shapes({ shown }: { shown: ComparisonView }): React.JSX.Element | null {
  const { trans } = useServices();
  const shapes = shown.shapes.filter(one => one.kind !== 'probabilities');
  if (shapes.length === 0) return null;
  const kinds: Record<AnswerShape['kind'], string> = {
    text: trans.__('text, characters'),
    list: trans.__('list, items'),
    image: trans.__('image, pixels'),
    probabilities: ''
  };
  const words = (sizes: AnswerShape['stable']): string =>
    Object.entries(sizes)
      .map(([name, value]) => `${name === 'p50' ? trans.__('median') : name} ${digits(value)}`)
      .join(', ') || '–';
  return (
    <section>
      <h3>{trans.__('Form of the answers')}</h3>
      <p className="nbd-faint">{trans.__('Of a sample of the rows')}</p>
      <table className="nbd-Table nbd-mod-numbers nbd-Figured">
        <thead>
          <tr>
            <th scope="col">{trans.__('field')}</th>
            <th scope="col">{trans.__('kind')}</th>
            <th scope="col">{trans.__('stable')}</th>
            <th scope="col">{trans.__('candidate')}</th>
            <th scope="col">{trans.__('in common')}</th>
          </tr>
        </thead>
        <tbody>
          {shapes.map(one => (
            <tr key={`${one.field} ${one.kind}`}>
              <th scope="row">
                <code>{one.field || trans.__('whole answer')}</code>
              </th>
              <td data-label={trans.__('kind')}>{kinds[one.kind]}</td>
              <td data-label={trans.__('stable')}>{words(one.stable)}</td>
              <td data-label={trans.__('candidate')}>{words(one.candidate)}</td>
              <td data-label={trans.__('in common')}>
                {one.exact !== null
                  ? trans.__('%1 equal', share(one.exact))
                  : one.overlap !== null
                    ? trans.__('%1 of the items', share(one.overlap))
                    : '–'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
