//! `coalesce completions` and `coalesce man`: the files that packages install beside the program.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::terminal::exit::{Exit, Failure};
use crate::terminal::output::Output;
use crate::terminal::text::without_code;

/// The arguments of `coalesce completions`.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The arguments of `coalesce man`.
#[derive(Args, Debug)]
pub(crate) struct ManArguments {
    /// The folder in which the pages are written
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Prints the script for the command line `command`.
pub(crate) fn completions(
    arguments: &CompletionsArguments,
    mut command: Command,
) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "coalesce", &mut script);
    let mut output = Output::stdout();
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    output.flush()?;
    Ok(Exit::Fine)
}

/// Writes the pages of the command line `command`.
pub(crate) fn man(arguments: &ManArguments, command: Command) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let cannot = |error: &io::Error| {
        let folder = folder.display();
        Failure::runtime(format_args!("cannot write to {folder}: {}", without_code(error)))
    };
    std::fs::create_dir_all(folder).map_err(|error| cannot(&error))?;
    // `help` only repeats the pages of the other commands.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    for command in command.get_subcommands().chain([&command]) {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let page = Man::new(command.clone()).title(name);
        let path = folder.join(page.get_filename());
        render(&page)
            .and_then(|text| std::fs::write(path, text))
            .map_err(|error| cannot(&error))?;
    }
    Ok(Exit::Fine)
}

/// Returns the page in the language of `man`.
fn render(page: &Man) -> io::Result<String> {
    let mut text = Vec::new();
    page.render(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    // The examples have columns, so `man` must neither join nor stretch their lines.
    let text = text.replace(".SH EXTRA\n", ".SH NOTES\n.nf\n");
    Ok(text.replace(".SH VERSION\n", ".fi\n.SH VERSION\n").replacen(".SH", ".ad l\n.SH", 1))
}
