/**
 * A candidate against stable: the verdict, the figures and the answers on one screen, then charts,
 * and the rows with other answers.
 */
import * as React from 'react';

import type { ToleranceChoice } from '../../figures';
import type { ComparisonView, EndpointView } from '../../generated';
import { short } from '../../words';
import { Chart } from '../ui/chart';
import { useDebounced, useLoaded, useVisible } from '../ui/hooks';
import { Empty, LoadFailure, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { Answers, Refusals } from './answers';
import { Fields, Shapes } from './fields';
import { Figures, More, Sides } from './figures';
import { Flipped } from './flipped';
import { NumberFigures, ToleranceControl } from './numbers';
import { Segments } from './segments';
import { Verdict } from './verdict';

/** A comparison reads many records, so it is requested less often than health. */
const EVERY_MS = 15_000;
/** A tolerance that is still moved is not compared. */
const TOLERANCE_MS = 250;

type ShowRecords = (status: string, release: string) => void;

export function Comparison(props: {
  view: EndpointView;
  chosen: string | null;
  onChoose: (tag: string) => void;
  /** Opens the records with this status of this release. */
  showRecords: ShowRecords;
}): React.JSX.Element {
  const { view, chosen, onChoose, showRecords } = props;
  const { trans } = useServices();
  // The pairs of an idle release are kept, so it can be compared; it comes last.
  const candidates = [
    ...view.cards.filter(card => card.role === 'canary' || card.role === 'shadow'),
    ...view.cards.filter(card => card.role === 'idle')
  ];
  const candidate = candidates.find(card => card.tag === chosen) ?? candidates[0];
  if (!candidate) {
    return (
      <Empty
        title={trans.__('Nothing to compare yet')}
        text={trans.__(
          'Deploy another model under this name. It starts as a shadow, gets copies of the requests, and is compared with stable here.'
        )}
      />
    );
  }
  return (
    <div className="nbd-Comparison">
      {candidates.length > 1 && (
        <label className="nbd-row">
          <span className="nbd-label nbd-mod-wide">{trans.__('Candidate')}</span>
          <select
            value={candidate.tag}
            onChange={event => {
              onChoose(event.target.value);
            }}
          >
            {candidates.map(card => (
              <option key={card.tag} value={card.tag}>
                {card.label || short(card.tag)} ({card.role})
              </option>
            ))}
          </select>
        </label>
      )}
      <Against
        key={candidate.tag}
        name={view.name}
        candidate={candidate.tag}
        revision={view.revision}
        showRecords={showRecords}
      />
    </div>
  );
}

function Against(props: {
  name: string;
  candidate: string;
  revision: number;
  showRecords: ShowRecords;
}): React.JSX.Element {
  const { name, candidate, revision, showRecords } = props;
  const { trans, view } = useServices();
  const root = React.useRef<HTMLDivElement>(null);
  const visible = useVisible(root);
  const [choice, setChoice] = React.useState<ToleranceChoice | null>(null);
  const tried = useDebounced(choice, TOLERANCE_MS);
  const request = {
    name,
    candidate,
    ...(tried && { tolerance: tried.relative, absolute_tolerance: tried.absolute })
  };
  const key = `${JSON.stringify(request)} ${String(revision)}`;
  const loaded = useLoaded<ComparisonView>(
    key,
    async signal => view('comparison', request, signal),
    { everyMs: EVERY_MS, active: visible }
  );
  // The last comparison stays while that of another tolerance or revision is made.
  const [last, setLast] = React.useState<ComparisonView | null>(null);
  if (loaded.value !== null && loaded.value !== last) setLast(loaded.value);
  const shown = loaded.value ?? last;
  const stale = loaded.value === null || tried !== choice;
  return (
    <div ref={root} aria-busy={shown !== null && stale}>
      {loaded.error !== null && <LoadFailure loaded={loaded} />}
      {!shown && loaded.error === null && (
        <Waiting words={trans.__('Comparing %1 with stable …', short(candidate))} />
      )}
      {shown && (
        <>
          <Verdict shown={shown} />
          <Figures shown={shown} />
          <div className="nbd-Charts">
            <Sides shown={shown} />
            <Answers shown={shown} />
          </div>
          {shown.notes.map(note => (
            <p key={note} className="nbd-faint">
              {note}
            </p>
          ))}
          <Refusals shown={shown} showRecords={showRecords} />
          <More shown={shown} />
          {shown.numbers && (
            <section>
              <h3>{trans.__('Numbers')}</h3>
              <ToleranceControl
                name={name}
                shown={shown}
                choice={choice}
                stale={stale}
                onChoice={setChoice}
              />
              <Charts charts={shown.charts} names={['scatter', 'differences']} />
              <NumberFigures numbers={shown.numbers} />
            </section>
          )}
          <Charts charts={shown.charts} names={['agreement', 'latency']} />
          {!shown.numbers && shown.fields.length > 0 && (
            <ToleranceControl
              name={name}
              shown={shown}
              choice={choice}
              stale={stale}
              onChoice={setChoice}
            />
          )}
          <Fields shown={shown} />
          <Shapes shown={shown} />
          <Charts
            charts={shown.charts}
            names={Object.keys(shown.charts).filter(one => one.startsWith('calibration'))}
          />
          {shown.segments && (
            <section>
              <h3>{trans.__('Segments')}</h3>
              <Charts
                charts={shown.charts}
                names={Object.keys(shown.charts).filter(one => one.startsWith('segments'))}
              />
              <Segments figures={shown.segments} />
            </section>
          )}
          {shown.paired && <Flipped rows={shown.flipped} flips={shown.flips} pairs={shown.pairs} />}
        </>
      )}
    </div>
  );
}

function Charts(props: {
  charts: ComparisonView['charts'];
  names: readonly string[];
}): React.JSX.Element | null {
  const found = props.names.filter(name => name in props.charts);
  if (found.length === 0) return null;
  return (
    <div className="nbd-Charts">
      {found.map(name => (
        <Chart key={name} spec={props.charts[name] ?? {}} />
      ))}
    </div>
  );
}
