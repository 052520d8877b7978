/** The figures by segments of the requests; a named segment has a word and a shape. */
import * as React from 'react';

import { digits, type FigureKind, figureWords } from '../../figures';
import type { Estimate, SegmentFigure, SegmentsFigure } from '../../generated';
import { clock } from '../../words';
import { useServices } from '../ui/services';

export function Segments({ figures }: { figures: SegmentsFigure }): React.JSX.Element {
  const { trans } = useServices();
  const paired = figures.segments.some(one => one.agreement !== null);
  const least = figures.least_agreement && figureWords(figures.least_agreement, 'share');
  const labelled = figures.segments.some(one => one.accuracy_difference !== null);
  const cell = (label: string, estimate: Estimate | null, kind: FigureKind): React.JSX.Element => {
    const said = estimate && figureWords(estimate, kind);
    return (
      <td data-label={label} title={said?.whole}>
        {said ? said.value : '–'} {said && <span className="nbd-faint">{said.interval}</span>}
      </td>
    );
  };
  return (
    <>
      <p className="nbd-faint">
        {figures.declared.join(' · ')} ·{' '}
        {figures.declared_at
          ? trans.__('declared %1; requests from then on count', clock(figures.declared_at))
          : trans.__('chosen for this look')}
      </p>
      <table className="nbd-Table nbd-mod-numbers nbd-Figured">
        <thead>
          <tr>
            <th scope="col">{trans.__('segment')}</th>
            <th scope="col">{trans.__('clusters')}</th>
            {paired && <th scope="col">{trans.__('agreement')}</th>}
            <th scope="col">{trans.__('errors, c − s')}</th>
            {labelled && <th scope="col">{trans.__('accuracy, c − s')}</th>}
            <th scope="col">{trans.__('e-values: worse, differs')}</th>
          </tr>
        </thead>
        <tbody>
          {figures.segments.map(one => (
            <tr key={`${one.column} ${one.value}`} data-named={one.named.length > 0}>
              <th scope="row">
                <code>
                  {one.column} = {one.value}
                </code>{' '}
                <Named segment={one} />
              </th>
              <td data-label={trans.__('clusters')} title={trans._n('%1 row', '%1 rows', one.rows)}>
                {one.clusters.toLocaleString()}
              </td>
              {paired && cell(trans.__('agreement'), one.agreement, 'share')}
              {cell(trans.__('errors, c − s'), one.error_difference, 'points')}
              {labelled && cell(trans.__('accuracy, c − s'), one.accuracy_difference, 'points')}
              <td
                data-label={trans.__('e-values: worse, differs')}
                title={`${String(one.worse)}, ${String(one.differ)}`}
              >
                {digits(one.worse)}, {digits(one.differ)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {least && (
        <p title={least.whole}>
          {trans.__('Smallest agreement of any segment: %1 %2', least.value, least.interval)}
        </p>
      )}
      <p className="nbd-faint">{figures.note}</p>
    </>
  );
}

function Named({ segment }: { segment: SegmentFigure }): React.JSX.Element | null {
  const { trans } = useServices();
  if (segment.named.length === 0) return null;
  const words = { worse: `▲ ${trans.__('worse')}`, differs: `◆ ${trans.__('differs')}` };
  return <strong className="nbd-Named">{segment.named.map(one => words[one]).join(' ')}</strong>;
}
