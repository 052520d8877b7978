/** Tabs after the ARIA pattern: arrows move, and the selected tab is in the tab order. */
import * as React from 'react';

export interface Tab<N extends string> {
  readonly name: N;
  readonly title: string;
}

export function Tabs<N extends string>(props: {
  tabs: readonly Tab<N>[];
  shown: N;
  label: string;
  onShow: (name: N) => void;
  children: React.ReactNode;
  end?: React.ReactNode;
}): React.JSX.Element {
  const { tabs, shown, label, onShow, children, end } = props;
  const id = React.useId();
  const list = React.useRef<HTMLDivElement>(null);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const at = tabs.findIndex(tab => tab.name === shown);
    const moves: Record<string, number> = {
      ArrowRight: (at + 1) % tabs.length,
      ArrowLeft: (at + tabs.length - 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1
    };
    const to = moves[event.key];
    const tab = to === undefined ? undefined : tabs[to];
    if (to === undefined || !tab) return;
    event.preventDefault();
    onShow(tab.name);
    list.current?.querySelectorAll<HTMLElement>('[role=tab]')[to]?.focus();
  };
  return (
    <>
      <div className="nbd-Tabs">
        {/* eslint-disable-next-line jsx-a11y/interactive-supports-focus -- its tabs have the focus */}
        <div role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
          {tabs.map(tab => (
            <button
              key={tab.name}
              type="button"
              role="tab"
              id={`${id}-${tab.name}`}
              aria-selected={tab.name === shown}
              aria-controls={`${id}-panel`}
              tabIndex={tab.name === shown ? 0 : -1}
              onClick={() => {
                onShow(tab.name);
              }}
            >
              {tab.title}
            </button>
          ))}
        </div>
        {end}
      </div>
      <div
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${shown}`}
        className="nbd-TabPanel"
      >
        {children}
      </div>
    </>
  );
}
