// What each key does. In fields for text, keys write; on a button with the focus, Space and Enter press it.

const WRITES = "input:not([type=checkbox]):not([type=range]), textarea";

export function listen(actions) {
  const keys = {
    " ": actions.play,
    i: actions.begin,
    o: actions.end,
    f: actions.fill,
    z: actions.undo,
    n: actions.next,
    a: actions.acceptAll,
    w: actions.whole,
    "?": actions.help,
    "<": () => actions.speed(-1),
    ">": () => actions.speed(1),
    "+": () => actions.zoom(0.5),
    "=": () => actions.zoom(0.5),
    "-": () => actions.zoom(2),
    Enter: actions.accept,
    Backspace: actions.remove,
    Delete: actions.remove,
    Escape: actions.escape,
    ArrowUp: () => actions.walk(-1),
    ArrowDown: () => actions.walk(1),
    PageUp: () => actions.video(-1),
    PageDown: () => actions.video(1),
  };

  function act(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (way) {
      if (event.ctrlKey || event.metaKey) return () => actions.seconds(10 * way);
      return event.shiftKey ? () => actions.seconds(way) : () => actions.step(way);
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return null;
    if (event.shiftKey && "IO".includes(event.key)) return () => actions.edge(event.key === "I");
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    return Object.hasOwn(keys, key) ? keys[key] : null;
  }

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (target.closest("dialog")) return;
    if (target.matches(WRITES)) {
      if (event.key === "Escape") target.blur();
      return;
    }
    const pressed = target.closest("button, select, input, label");
    if (pressed && [" ", "Enter"].includes(event.key) && target.matches(":focus-visible")) return;
    if (target.matches("select, input[type=range]") && event.key.startsWith("Arrow")) return;
    const digit = /^Digit([0-9])$|^Numpad([0-9])$/.exec(event.code);
    if (digit && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      if (!event.repeat) actions.digit(Number(digit[1] ?? digit[2]), true);
      return;
    }
    const run = act(event);
    if (!run) return;
    event.preventDefault();
    if (event.repeat && !event.key.startsWith("Arrow")) return;
    run();
  });
  document.addEventListener("keyup", (event) => {
    const digit = /^Digit([0-9])$|^Numpad([0-9])$/.exec(event.code);
    if (digit) actions.digit(Number(digit[1] ?? digit[2]), false);
  });
  // After a click, keys go to the page again.
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest("button, input[type=checkbox], input[type=range], select");
    if (pressed && !pressed.matches(":focus-visible")) pressed.blur();
  });
}
