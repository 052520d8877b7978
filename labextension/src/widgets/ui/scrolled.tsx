import * as React from 'react';

type ScrolledProps = React.HTMLAttributes<HTMLDivElement> & { label: string };

/** Content that may be longer than its container: it can be scrolled by the keyboard too. */
export const Scrolled = React.forwardRef<HTMLDivElement, ScrolledProps>(function Scrolled(
  { label, children, ...rest },
  ref
) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- arrows scroll it only when it has the focus
    <div ref={ref} role="group" tabIndex={0} aria-label={label} {...rest}>
      {children}
    </div>
  );
});
