//! `opskit generate`: what packages ship beside the program.

use crate::App;
use crate::args::{Generate, GenerateArgs};
use crate::exit::Stop;
use opskit_core::{Error, ErrorKind};
use std::path::Path;

pub(crate) fn run(args: &GenerateArgs, app: &App) -> Result<(), Stop> {
    match &args.what {
        Generate::Man { out } => man(out, app),
        Generate::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut crate::command_line(), "opskit", &mut text);
            app.printer.result(&String::from_utf8_lossy(&text))
        }
    }
}

fn man(out: &Path, app: &App) -> Result<(), Stop> {
    let written = std::fs::create_dir_all(out)
        .and_then(|()| clap_mangen::generate_to(crate::command_line(), out));
    written.map_err(|source| {
        let message = format!("cannot write the man pages into \"{}\"", out.display());
        Error::new(ErrorKind::Storage, message).with_source(source)
    })?;
    app.printer
        .note(&format!("man pages are in {}", out.display()));
    Ok(())
}
