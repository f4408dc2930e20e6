//! Completion in bash, which takes `sqlite:jobs.db` for three words: it breaks them at each of `COMP_WORDBREAKS`, and replaces
//! only the last piece by what is offered.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::engine::complete;
use clap_complete::env::EnvCompleter;

/// Tells the number of the word to complete.
const INDEX: &str = "_PUNCTUAL_COMPLETE_INDEX";

/// The lines for the shell: pieces between which there is no blank on the line are put together again, and what is offered loses
/// those pieces that bash does not replace. Bash before 4.4 knows no `nosort`.
const LINES: &str = r#"_clap_complete_NAME() {
    local IFS=$'\n' rest=$COMP_LINE before= piece i index=0
    local -a words=()
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        piece=${COMP_WORDS[i]}
        if [[ $i -eq $COMP_CWORD && ( -n $2 || $piece != [:=]* ) ]]; then
            piece=$2
        fi
        if [[ $i -gt 0 && -n $rest && $rest != [[:blank:]]* ]]; then
            words[${#words[@]} - 1]+=$piece
        else
            words+=("$piece")
        fi
        if [[ $i -eq $COMP_CWORD ]]; then
            index=$((${#words[@]} - 1))
            before=${words[index]%"$2"}
        fi
        rest=${rest#"${rest%%[![:blank:]]*}"}
        rest=${rest#"${COMP_WORDS[i]}"}
    done
    COMPREPLY=( $( INDEX="$index" VAR="bash" "COMPLETER" -- "${words[@]}" ) )
    if [[ $? != 0 ]]; then
        unset COMPREPLY
    else
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
        if [[ "${COMPREPLY-}" =~ [=/:]$ ]]; then
            compopt -o nospace 2>/dev/null
        fi
    fi
}
complete -o nosort -o bashdefault -F _clap_complete_NAME BIN 2>/dev/null ||
    complete -o bashdefault -F _clap_complete_NAME BIN
"#;

/// As [`clap_complete`] has it, for words with `:` and `=` in them.
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == self.name()
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        bin: &str,
        completer: &str,
        into: &mut dyn Write,
    ) -> Result<(), io::Error> {
        let lines = LINES
            .replace("NAME", name)
            .replace("BIN", bin)
            .replace("COMPLETER", completer)
            .replace("INDEX", INDEX)
            .replace("VAR", variable);
        into.write_all(lines.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        here: Option<&Path>,
        into: &mut dyn Write,
    ) -> Result<(), io::Error> {
        let index = std::env::var(INDEX).ok().and_then(|index| index.parse().ok());
        for offer in complete(command, words, index.unwrap_or_default(), here)? {
            writeln!(into, "{}", offer.get_value().to_string_lossy())?;
        }
        Ok(())
    }
}
