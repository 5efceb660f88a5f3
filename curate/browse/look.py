"""How the screen is laid out: list above text, or beside it where there is room; the colours are the terminal's own."""

CSS = """
Screen { background: ansi_default; color: ansi_default; }
#body { layout: vertical; height: 1fr; }
Table { height: 40%; min-height: 4; }
Reader { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
Reader, VerticalScroll {
    scrollbar-background: ansi_default;
    scrollbar-background-hover: ansi_default;
    scrollbar-background-active: ansi_default;
    scrollbar-color: ansi_bright_black;
    scrollbar-color-hover: ansi_blue;
    scrollbar-color-active: ansi_blue;
}
#status { height: 1; text-style: reverse; }
#message { height: auto; max-height: 4; display: none; }
#foot { height: 1; text-style: dim; }
.-wide #body { layout: horizontal; }
.-wide Table { width: 45%; height: 100%; }
.-wide Reader { padding: 0 0 0 1; }
.-wide #status { dock: bottom; }
.-reading Table { display: none; }
"""
