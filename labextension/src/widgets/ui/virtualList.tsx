/**
 * A long list of which only the visible rows are drawn; the keyboard moves an active row, as in a
 * list box.
 */
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

interface Props<T> {
  readonly items: readonly T[];
  readonly label: string;
  readonly rowHeight: number;
  readonly keyOf: (item: T) => string;
  readonly row: (item: T) => React.ReactNode;
  readonly onOpen: (item: T) => void;
  /** The key of the row whose detail is open. */
  readonly selected?: string | null;
  /** Called when the last rows become visible. */
  readonly onEnd?: () => void;
  /** Called with whether the top is visible. */
  readonly onTop?: (top: boolean) => void;
}

export function VirtualList<T>(props: Props<T>): React.JSX.Element {
  const { items, label, rowHeight, keyOf, row, onOpen, selected = null, onEnd, onTop } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const id = React.useId();
  const [activeKey, setActiveKey] = React.useState<string | null>(selected);
  // eslint-disable-next-line react-hooks/incompatible-library -- nothing here is memoised by a compiler
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: index => keyOf(items[index] as T),
    overscan: 6,
    initialRect: { width: 300, height: 600 }
  });
  const active = activeKey === null ? -1 : items.findIndex(item => keyOf(item) === activeKey);
  const drawn = virtual.getVirtualItems();
  const last = drawn.at(-1)?.index ?? -1;
  React.useEffect(() => {
    if (last >= 0 && last >= items.length - 10) onEnd?.();
  }, [last, items.length, onEnd]);

  const move = (to: number): void => {
    const index = Math.min(Math.max(to, 0), items.length - 1);
    const item = items[index];
    if (item === undefined) return;
    setActiveKey(keyOf(item));
    virtual.scrollToIndex(index);
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1);
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: items.length - 1
    };
    const to = moves[event.key];
    const item = items[active];
    if (to !== undefined) move(to);
    else if ((event.key === 'Enter' || event.key === ' ') && item !== undefined) onOpen(item);
    else return;
    event.preventDefault();
  };
  const name = (index: number): string => `${id}-${String(index)}`;
  return (
    <div
      ref={scroller}
      className="nbd-List"
      role="listbox"
      tabIndex={0}
      aria-label={label}
      aria-activedescendant={
        active >= 0 && drawn.some(one => one.index === active) ? name(active) : undefined
      }
      onKeyDown={onKeyDown}
      onFocus={() => {
        if (active < 0) move(0);
      }}
      onScroll={event => {
        onTop?.(event.currentTarget.scrollTop < rowHeight / 2);
      }}
    >
      <div role="presentation" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {drawn.map(one => {
          const item = items[one.index];
          if (item === undefined) return null;
          const key = keyOf(item);
          return (
            // The list box has the focus and the keys; a row only takes the mouse.
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
            <div
              key={key}
              id={name(one.index)}
              role="option"
              className="nbd-List-row"
              data-active={one.index === active}
              aria-selected={key === selected}
              aria-setsize={items.length}
              aria-posinset={one.index + 1}
              style={{ height: rowHeight, transform: `translateY(${String(one.start)}px)` }}
              onClick={() => {
                setActiveKey(key);
                onOpen(item);
              }}
            >
              {row(item)}
            </div>
          );
        })}
      </div>
    </div>
  );
}
