/** One endpoint: its header, its pending change, and a tab for each section. */
import * as React from 'react';

import type { EndpointModel } from '../../endpoint';
import type { EndpointView } from '../../generated';
import type { Section } from '../../model';
import { Comparison } from '../compare/comparison';
import { Monitor } from '../monitor/monitor';
import { type Filter, NO_FILTER } from '../records/recordFilters';
import { Records } from '../records/records';
import { useNow, useSignal } from '../ui/hooks';
import { Button, Empty, Notice, Waiting } from '../ui/parts';
import { useServices } from '../ui/services';
import { Tabs } from '../ui/tabs';
import { ChangePreview } from './changePreview';
import { Header } from './header';
import { History } from './history';
import { Live } from './live';
import { Logs } from './logs';
import { Ramp } from './ramp';
import { type ProposeChange, ReleaseCard } from './releaseCard';
import { ServeBy } from './serveBy';
import { Traffic } from './traffic';
import { TryIt } from './tryIt';

interface Props {
  readonly model: EndpointModel;
  readonly tab: Section;
  readonly onTab: (tab: Section) => void;
  /** How often a user has opened something: each time the selected tab gets the focus. */
  readonly openings?: number;
  /** Not in a sidebar. */
  readonly wide?: boolean;
  /** Shown above the sections, such as a form of the host. */
  readonly inserted?: React.ReactNode;
  /** The action to offer if the endpoint is gone. */
  readonly onGone?: () => void;
}

export function Endpoint(props: Props): React.JSX.Element {
  const { model, onGone } = props;
  const { trans } = useServices();
  const state = useSignal(model.changed, () => model.state);
  React.useEffect(() => model.watch(), [model]);
  const focusedRef = React.useRef(0); // an endpoint that was gone and comes back takes no focus
  if (state.gone) {
    return (
      <Empty
        title={trans.__('%1 does not exist', model.name)}
        text={trans.__(
          'It was removed, or this server uses another home (NBDEPLOY_HOME). Deploy a model as %1 to create it again.',
          model.name
        )}
      >
        {onGone && <Button onClick={onGone}>{trans.__('All endpoints')}</Button>}
      </Empty>
    );
  }
  if (!state.view) {
    if (state.problem) return <Notice problem={state.problem} />;
    return <Waiting words={trans.__('Loading %1 …', model.name)} />;
  }
  return (
    <>
      {state.problem && (
        <Notice problem={state.problem} before={trans.__('The data below may be out of date: ')} />
      )}
      <Shown {...props} view={state.view} stale={state.problem !== null} focusedRef={focusedRef} />
    </>
  );
}

function Shown(
  props: Props & { view: EndpointView; stale: boolean; focusedRef: React.MutableRefObject<number> }
): React.JSX.Element {
  const { model, view, tab, onTab, openings = 0, wide = false, inserted } = props;
  const { trans, openTab } = useServices();
  const now = useNow();
  const { pending, givenUp, propose } = useChanges(model, view);
  const [candidate, setCandidate] = React.useState<string | null>(null);
  const [logged, setLogged] = React.useState('');
  const tabs = [
    { name: 'releases' as const, title: trans.__('Releases') },
    { name: 'comparison' as const, title: trans.__('Compare') },
    { name: 'monitor' as const, title: trans.__('Monitor') },
    { name: 'live' as const, title: trans.__('Live') },
    { name: 'records' as const, title: trans.__('Records') },
    { name: 'logs' as const, title: trans.__('Logs') },
    { name: 'try' as const, title: trans.__('Try it') },
    { name: 'history' as const, title: trans.__('History') }
  ];
  const [filter, setFilter] = React.useState(NO_FILTER);
  const showMatches = (matching: Filter): void => {
    setFilter(matching);
    onTab('records');
  };
  const showRecords = (status: string, release: string): void => {
    showMatches({ ...NO_FILTER, status, release });
  };
  const rollBack = (): void => {
    propose('rollback', {});
  };
  const compare = (tag: string): void => {
    setCandidate(tag);
    onTab('comparison');
  };
  const root = useFocusedTab(tab, openings, props.focusedRef);
  return (
    <section
      ref={root}
      className="nbd-Endpoint"
      aria-label={trans.__('Endpoint %1', view.name)}
      data-wide={wide}
    >
      <Header view={view} tab={tab} stale={props.stale} propose={propose} />
      {view.running && <Traffic cards={view.cards} />}
      <ServeBy view={view} onChanged={() => void model.refresh().catch(() => undefined)} />
      <Ramp ramp={view.ramp} endpoint={view.name} />
      {pending && <ChangePreview pending={pending} changes={model.changes} view={view} now={now} />}
      {inserted}
      <Tabs
        tabs={tabs}
        shown={tab}
        label={trans.__('Sections of %1', view.name)}
        onShow={name => {
          setFilter(NO_FILTER);
          onTab(name);
        }}
        end={
          !wide &&
          openTab && (
            <Button
              look="quiet"
              className="nbd-wider"
              title={trans.__('Open in a tab of the main area')}
              aria-label={trans.__('Open in a tab of the main area')}
              onClick={() => {
                openTab(view.name, tab);
              }}
            >
              ⤢
            </Button>
          )
        }
      >
        {tab === 'releases' && (
          <div className="nbd-Cards">
            {view.cards.map(card => (
              <ReleaseCard
                key={card.tag}
                card={card}
                endpoint={view.name}
                now={now}
                running={view.running}
                stale={props.stale}
                busy={pending?.phase === 'working' && mentions(pending.fields, card.tag)}
                givenUp={givenUp}
                propose={propose}
                onCompare={() => {
                  compare(card.tag);
                }}
                showRefusals={() => {
                  onTab('live');
                }}
                showLog={() => {
                  setLogged(card.tag);
                  onTab('logs');
                }}
              />
            ))}
            {view.cards.length === 0 && (
              <Empty
                title={trans.__('No release')}
                text={trans.__(
                  'Deploy a model under the name %1 to give it its first release.',
                  view.name
                )}
              />
            )}
          </div>
        )}
        {tab === 'comparison' && (
          <Comparison
            view={view}
            chosen={candidate}
            onChoose={setCandidate}
            showRecords={showRecords}
          />
        )}
        {tab === 'monitor' && (
          <Monitor
            view={view}
            actions={{
              showRecords: showMatches,
              rollBack: view.previous === null ? null : rollBack
            }}
          />
        )}
        {tab === 'live' && <Live name={view.name} showRecords={showRecords} />}
        {tab === 'records' && <Records view={view} initial={filter} />}
        {tab === 'logs' && <Logs view={view} release={logged} onRelease={setLogged} />}
        {tab === 'try' && <TryIt view={view} />}
        {tab === 'history' && <History view={view} now={now} propose={propose} />}
      </Tabs>
    </section>
  );
}

/**
 * The selected tab gets the focus when a user opens the endpoint, and when the control that showed
 * another section is gone: from there Tab leads into the section.
 */
function useFocusedTab(
  tab: Section,
  openings: number,
  focusedRef: React.MutableRefObject<number>
): React.RefObject<HTMLElement> {
  const root = React.useRef<HTMLElement>(null);
  React.useEffect(() => {
    if (openings <= focusedRef.current) return;
    focusedRef.current = openings;
    focusTab(root.current);
  }, [openings, focusedRef]);
  const shown = React.useRef(tab);
  React.useEffect(() => {
    if (shown.current === tab) return;
    shown.current = tab;
    if (document.activeElement === document.body) focusTab(root.current);
  }, [tab]);
  return root;
}

function focusTab(root: HTMLElement | null): void {
  root?.querySelector<HTMLElement>('[role=tab][aria-selected=true]')?.focus();
}

function mentions(fields: Readonly<Record<string, unknown>>, tag: string): boolean {
  return JSON.stringify(fields).includes(JSON.stringify(tag));
}

/**
 * The pending change, and the function that proposes one; the control that proposed it gets the
 * focus back.
 */
function useChanges(
  model: EndpointModel,
  view: EndpointView
): {
  pending: ReturnType<() => EndpointModel['changes']['pending']>;
  givenUp: number;
  propose: ProposeChange;
} {
  const { trans, say } = useServices();
  const { changes } = model;
  const pending = useSignal(changes.changed, () => changes.pending);
  const [givenUp, setGivenUp] = React.useState(0);
  const from = React.useRef<{ element: HTMLElement; label: string | null } | null>(null);
  const latest = React.useRef(view);
  React.useEffect(() => {
    latest.current = view;
  });
  React.useEffect(() => {
    const onSaid = (_: unknown, what: string): void => {
      if (what === 'dismissed') setGivenUp(before => before + 1);
      const { state } = model;
      const row = state.view?.history[0];
      if (what === 'deleted') {
        say(trans.__('%1 is deleted', model.name));
        return;
      }
      say(
        what === 'dismissed' || !row
          ? trans.__('Nothing was changed')
          : trans.__('revision %1 is in force: %2', row.revision, row.what)
      );
      focusBack(from.current);
      from.current = null;
    };
    changes.announced.connect(onSaid);
    return () => {
      changes.announced.disconnect(onSaid);
    };
  }, [changes, model, say, trans]);
  const propose = React.useCallback<ProposeChange>(
    (verb, fields) => {
      const focused = document.activeElement;
      from.current =
        focused instanceof HTMLElement
          ? { element: focused, label: focused.getAttribute('aria-label') }
          : null;
      void changes.propose(verb, fields, latest.current);
    },
    [changes]
  );
  return { pending, givenUp, propose };
}

/**
 * The control of the question may have been drawn again. If the user moved the focus elsewhere, it
 * stays there.
 */
function focusBack(from: { element: HTMLElement; label: string | null } | null): void {
  if (!from) return;
  // After React has drawn: the question is gone then, and the focus with it.
  requestAnimationFrame(() => {
    if (document.activeElement !== document.body && document.activeElement !== null) return;
    const { element, label } = from;
    const target = element.isConnected
      ? element
      : label &&
        document.querySelector<HTMLElement>(`.nbd-Endpoint [aria-label="${CSS.escape(label)}"]`);
    if (target) target.focus();
  });
}
