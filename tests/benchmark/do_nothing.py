"""What the start-up is compared with: two commands that do nothing, with the settings that gpuprobe has."""

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command("list")
def list_nothing() -> None:
    typer.echo("{}")


@app.command("env")
def env_nothing() -> None:
    typer.echo("")


app()
