import * as React from 'react';

type ScrolledProps = React.HTMLAttributes<HTMLDivElement> & { label: string };

/**
 * Content that may be longer than its container: while it is, it can be scrolled by the keyboard
 * too.
 */
export const Scrolled = React.forwardRef<HTMLDivElement, ScrolledProps>(function Scrolled(
  { label, children, ...rest },
  ref
) {
  const box = React.useRef<HTMLDivElement>(null);
  React.useImperativeHandle<HTMLDivElement | null, HTMLDivElement | null>(ref, () => box.current);
  const [scrolls, setScrolls] = React.useState(false);
  React.useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = (): void => {
      const { scrollWidth, scrollHeight, clientWidth, clientHeight } = element;
      setScrolls(scrollWidth > clientWidth || scrollHeight > clientHeight);
    };
    measure();
    const observer = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver(measure);
    observer?.observe(element);
    return () => {
      observer?.disconnect();
    };
  }, [children]);
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- arrows scroll it only when it has the focus
    <div ref={box} role="group" tabIndex={scrolls ? 0 : undefined} aria-label={label} {...rest}>
      {children}
    </div>
  );
});
