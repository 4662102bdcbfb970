"""Each number in docs/security.md and SECURITY.md is that of the code, and each claim has tests.

Most of these tests are beside those of the code.  `BACKED` lists them.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from engine import credentials, opened, rule
from oracle import AgeKey

from encconf import api
from encconf.engine.cipher import Encryptor, aes_gcm, split
from encconf.engine.metadata import LAYOUT_AAD
from encconf.errors import EncconfError

HERE = Path(__file__).resolve().parent
PAGE = (HERE.parent / "docs" / "security.md").read_text(encoding="utf-8")
SECURITY = (HERE.parent / "SECURITY.md").read_text(encoding="utf-8")
UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}
ROWS = re.findall(r"(?m)^\| (.+) \| ([0-9,]+) ?(KiB|MiB|) \| (`.+`) \|$", PAGE)

BACKED: dict[str, tuple[str, ...]] = {
    "A nonce is used again only for the same bytes under the same data key": (
        "test_cipher::test_nonces_never_repeat",
        "test_properties::test_no_nonce_serves_two_values",
    ),
    "It uses an old ciphertext at most once": ("test_reuse::test_equal_items_keep_different_ciphertexts",),
    "it keeps the ciphertext of each value that did not change": (
        "test_reuse::test_one_value",
        "test_changes::test_only_what_changed",
    ),
    "It counts only if `lastmodified` is an RFC 3339 date": ("test_mac::test_a_mac_counts_with_a_date_only",),
    "encconf wrote these keys, types, structure and selection": (
        "test_mac::test_no_change_goes_unnoticed",
        "test_mac::test_the_strict_check_cannot_be_taken_off",
        "test_mac::test_the_rule_is_part_of_it",
    ),
    "to which rops gave another date": ("test_mac::test_another_date_is_another_writer",),
    "hides an encrypted one of the same name": ("test_differences::test_empty_twice",),
    "or a document has only empty values": ("test_differences::test_empty_document",),
    "A plaintext comment of a dotenv or INI file with a carriage return": (
        "test_opening::test_a_plaintext_comment_that_other_readers_end_early",
    ),
    "`load_dotenv` takes nothing from comments": (
        "test_dotenv::test_a_comment_that_somebody_without_a_key_wrote_sets_nothing",
    ),
    "A plaintext value under such a name is refused": (
        "test_execute::test_a_plaintext_value_without_a_mac_does_not_choose_code",
        "test_dotenv::test_a_plaintext_value_without_a_mac_does_not_choose_code",
    ),
    "such a file stays without the strict check, whatever is": (
        "test_vouching::test_no_change_vouches_for_names_that_nobody_has_checked",
        "test_vouching::test_a_conflict_keeps_in_mind_what_nobody_has_checked",
    ),
    "It counts once somebody sets it": ("test_vouching::test_who_sets_the_value_vouches_for_it",),
    "only to a transit engine": (
        "test_hc_vault::test_an_entry_of_a_file_writes_nothing_to_an_engine_of_secrets",
        "test_hc_vault::test_an_entry_of_a_file_calls_nothing_else_in_a_transit_engine",
    ),
    "that git would take for a bare repository": (
        "test_ours::test_a_repository_among_the_files_of_a_branch_is_not_ours",
    ),
    "it covers only encrypted values and their places": ("test_mac::test_only_encrypted_values_count",),
    "uses it only if the resulting text has exactly the values": (
        "test_layout::test_a_stale_record_is_ignored",
        "test_layout::test_a_forged_record_is_ignored",
    ),
    "wrote both sides for exactly this MAC": (
        "test_conflict::test_a_conflict_is_no_part_of_another_file",
        "test_merge::test_someone_alters_the_conflict",
    ),
    "can put back a whole older one": ("test_security_page::test_an_older_version_is_not_noticed",),
    "encconf never prints the stored or the computed MAC": ("test_mac::test_errors_do_not_show_the_mac",),
    "encconf writes to no file or pipe that another user has put into a folder for everyone": (
        "test_replace::test_what_another_user_has_put_into_a_folder_for_everyone",
    ),
    "A file that exceeds one is refused": (
        "test_hostile::test_aliases_are_limited_in_bytes",
        "test_hostile::test_long_paths_are_limited",
        "test_hostile::test_documents_are_limited",
        "test_hostile::test_tag_directives_are_limited",
        "test_hostile::test_a_long_age_header_is_not_read",
        "test_hostile::test_the_wrapped_keys_of_a_file_are_limited_together",
    ),
    "needs more memory or stack than there is": (
        "test_hostile::test_too_little_memory_is_an_error_of_its_own",
    ),
    "Patterns are matched with RE2": ("test_pattern::test_a_hostile_pattern_takes_neither_time_nor_memory",),
    "An invalid pattern is an error": ("test_differences::test_regex",),
    "A pipe that no program opens for writing is refused": (
        "test_hostile::test_no_command_waits_for_a_file_that_is_a_pipe",
    ),
    "and so is a link to a pipe": (
        "test_fileio::test_a_link_to_a_pipe_is_not_read_unless_it_is_the_system_s",
        "test_hostile::test_nor_for_a_link_to_its_own_input",
    ),
    "control characters of texts and values are escaped": (
        "test_decrypt::test_control_characters_of_a_name_are_escaped",
        "test_printable::test_text_from_a_foreign_file_cannot_move_the_cursor",
    ),
    "in the same places and the same order as sops": (
        "test_places::test_the_places_are_those_of_sops_in_its_order",
    ),
    "lists each place and what was found there": ("test_stored::test_the_report",),
    "have mode 0600, in a folder of mode 0700": ("test_init::test_from_nothing_to_an_encrypted_file",),
    "refuses the file if others may write to it": ("test_userconfig::test_others_may_not_write_it",),
    "only in values that the MAC covers": ("test_reference_rules::test_only_what_the_mac_covers",),
    "You have to allow programs": (
        "test_reference_rules::test_what_this_user_has_is_not_given_unless_somebody_says_so",
    ),
    "never sends a token to a server other than the environment's": (
        "test_references::test_no_other_server_gets_the_token",
    ),
    "never returns a secret that opens": ("test_reference_rules::test_nor_is_any_identity_wherever_it_is",),
    "cannot choose whose secrets are read": (
        "test_reference_rules::test_a_file_cannot_choose_whose_secrets_or_which_identity",
    ),
    "cannot leave an allowed folder through links": (
        "test_reference_rules::test_a_folder_is_not_left_by_its_links",
    ),
    "compared by origin; redirects are not followed": (
        "test_vault::test_an_address_leads_a_token_nowhere_else",
        "test_conjur::test_an_address_leads_a_login_nowhere_else",
        "providers/test_vault::test_redirects_are_not_followed",
        "test_azure_kv::test_redirects_are_not_followed",
        "providers/test_aws::test_redirects_are_not_followed",
        "providers/test_gcp::test_redirects_are_not_followed",
        "providers/test_https::test_redirects_are_not_followed",
    ),
    "An incomplete response is an error": ("test_https::test_part_of_an_answer_is_no_answer",),
    "Nothing logs a value": ("../encconf/testing/contracts/source::test_nothing_is_logged_and_nothing_said",),
    "is used only if you chose it": (
        "test_keyring::test_a_keyring_that_is_a_plain_file_is_used_only_where_somebody_chose_it",
    ),
    "the same requests as CyberArk's clients": (
        "test_cyberark::test_as_pyaim_asks",
        "test_conjur::test_as_conjur_s_own_client_asks",
    ),
    "from before sops 3.3.0": ("test_differences::test_context_bug",),
    "writes no plaintext to the work tree or to `.git`": (
        "test_merge::test_a_conflict",
        "test_merge::test_recorded_resolutions_hold_nothing",
        "test_textconv::test_nothing_is_cached_in_the_repository",
    ),
    "whatever anyone removes from the block": (
        "test_conflict::test_the_seal_cannot_be_removed_without_a_key",
    ),
    "adds one only if merging the versions": ("test_merge::test_what_is_not_only_a_merge_is_refused",),
    "encconf warns about it": (
        "test_merge::test_a_merge_of_older_versions_is_reported",
        "test_merge::test_the_driver_reports_a_merge_of_other_parents_too",
    ),
    "a merge that would let in anyone else stops (129)": (
        "test_merge::test_a_branch_lets_no_stranger_in",
        "test_merge::test_a_branch_does_not_choose_what_is_encrypted",
    ),
    "never wraps a data key for it": (
        "test_strangers::test_new_shares_are_not_for_entries_of_a_stranger",
        "test_strangers::test_a_spoiled_entry_of_a_stranger_is_not_wrapped_again",
        "test_merge_sides::test_new_shares_are_not_for_strangers_in_our_version",
        "test_gate::test_an_entry_in_a_block_admits_no_one",
    ),
    "for the file of an edit that could not be saved": (
        "test_strangers::test_an_unsaved_edit_is_not_for_a_stranger",
    ),
    "over this file make a new data key and say so": (
        "test_strangers::test_a_data_key_that_a_stranger_knows_is_not_reused",
        "test_hard_to_guess::test_the_secrets_of_most_places_show_the_author",
    ),
    "A merge makes a new data key if the sides have different ones": (
        "test_merge::test_a_data_key_of_their_making_is_not_used",
    ),
    "Their values get a MAC only after you have seen them": (
        "test_merge_sides::test_one_side_is_not_encrypted",
    ),
    "Our own version of the file admits no one either": (
        "test_merge_sides::test_new_shares_are_not_for_strangers_in_our_version",
    ),
    "It unwraps no data key, prompts for nothing": (
        "test_companion::test_data_keys_of_several_files",
        "test_companion::test_later_runs_of_one_git_need_no_key",
    ),
    "It ends when git ends, 5 seconds after the last run has ended, and on SIGTERM": (
        "test_companion::test_with_git",
        "test_companion::test_if_nothing_comes",
        "test_companion::test_a_command_that_takes_longer_than_the_companion_waits",
        "test_companion::test_with_a_signal",
    ),
    "if it hangs, the kernel ends it": ("test_companion::test_the_kernel_ends_one_that_hangs",),
    "the next run of this git removes it": ("test_companion::test_killed_ones_are_replaced",),
    "It answers only processes of this user": (
        "test_companion::test_not_another_user",
        "test_companion::test_not_a_process_that_git_did_not_start",
        "test_companion::test_not_in_another_environment",
    ),
    "accepts answers only from a companion of its own user": (
        "test_companion::test_other_answers_count_for_nothing",
    ),
    "A folder with another owner or mode": ("test_companion::test_another_folder_of_that_name",),
    "It leaves no core dump": (
        "test_companion::test_it_holds_nothing_open_and_leaves_no_core",
        "test_memory::test_no_core_and_no_look_into_it",
    ),
    "so that each decryption is recorded": ("test_companion::test_an_audit_log_gets_every_run",),
    "every value is re-encrypted with a new data key": ("test_rekey::test_somebody_goes",),
    "The report lists the paths": ("test_rekeying::test_the_report",),
    "`updatekeys` finds the key in git's history": ("test_leavers::test_a_new_data_key",),
    "until then `check` (`former-recipient`) and `access` report it": (
        "test_leavers::test_the_key_and_what_to_do",
        "test_access::test_a_replaced_key_stays_apart_from_the_key_with_its_name",
    ),
    "A shallow clone lacks the older part, and `check` and `access` say so": (
        "test_leavers::test_a_clone_without_the_old_commits",
        "test_history::test_a_clone_that_was_cut_off",
    ),
    "with the old mode, owner and access list": (
        "test_replace::test_the_mode_is_kept",
        "test_replace::test_the_owner_and_group_are_kept",
        "test_replace::test_without_its_access_list_a_file_is_not_replaced",
    ),
    "the content is overwritten": (
        "test_inplace::test_a_single_file_that_is_mounted",
        "test_inplace::test_hard_links_stay",
    ),
    "encconf restores the content from it": ("test_inplace::test_what_fails_is_undone",),
    "the error names the copy": ("test_inplace::test_a_copy_is_kept_where_it_cannot_be_undone",),
    "the copy is still there": ("test_inplace::test_a_copy_is_there_after_a_kill",),
    "is not readable by everyone": (
        "test_replace::test_what_is_private_is_not_left_to_everyone",
        "test_decrypt::test_the_mode_of_an_existing_output_file_becomes_private",
    ),
    "encconf does what sops does: the mode stays": ("test_run::test_modes_are_those_of_sops",),
    "the file has no name (O_TMPFILE)": ("test_replace::test_a_write_that_is_killed_leaves_nothing",),
    "The next `rotate` or `updatekeys` in that folder removes it": (
        "test_batch::test_temporary_files_of_killed_commands_are_removed",
    ),
    "a running command holds a lock": (
        "test_private::test_the_next_one_removes_what_was_killed_and_nothing_else",
    ),
    "reports such a file as plaintext (`leftover`)": (
        "test_check::test_plaintext_of_a_killed_command_is_found",
    ),
    "wait for each other, up to a minute": ("test_locks::test_one_after_the_other",),
    "only if the file still has the text": ("test_replace::test_a_file_that_changed_meanwhile",),
    "`core.fsmonitor`, textconv and external diffs off": (
        "test_worktree::test_the_repository_runs_nothing_and_is_not_written",
    ),
    "no filter, textconv, external diff": ("test_worktree::test_git_runs_no_filter",),
    "encconf never makes git fetch anything": (
        "test_history::test_a_partial_clone_fetches_nothing",
        "test_history::test_a_partial_clone_fetches_nothing",
    ),
    "Values are only in memory": ("test_server::test_memory",),
    "permits its own script and style by hash only": ("test_page::test_nothing_but_its_own_script_is_run",),
    "escapes every name": ("test_page::test_no_tag_and_no_control_character_comes_from_them",),
    "answers only root and its own user": ("test_server::test_another_user",),
    "excluded from core dumps": ("test_memory::test_no_core_and_no_look_into_it",),
    "fails to start instead of getting an empty one": (
        "test_server::test_who_gets_what",
        "test_server::test_why_no_client_is_hung_up_on",
    ),
    "pass all variables to the program": ("test_differences::test_exec_keys",),
    "a profile that is used if the environment names no credentials": (
        "providers/test_aws::test_the_environment_goes_before_the_file",
        "providers/test_aws::test_what_the_environment_may_not_the_profile_of_the_file_may",
        "test_differences::test_aws_profile",
    ),
    "is isolated from": ("test_shim::test_it_is_isolated_and_its_children_are_not",),
    "What is inserted never runs, and never breaks the line": (
        "test_completion::test_no_key_of_a_file_runs_a_program",
        "test_completion::test_powershell_gets_words_in_quotes_or_not_at_all",
    ),
    "a user who may not write there holds the lock": (
        "test_locks::test_a_user_who_may_not_write_there_stops_no_writer_for_long",
        "test_locks::test_users_who_may_write_there_wait_for_each_other",
    ),
    "it does not wait for other users, who cannot replace your files": (
        "test_locks::test_another_user_stops_no_writer_in_a_folder_for_everyone",
    ),
    "they save none as plaintext whose name says that it is a secret": (
        "test_values::test_a_selection_that_nobody_else_vouches_for",
        "test_values::test_edit_and_update",
    ),
    "It uses none that another user has put": (
        "test_dotenv::test_a_file_that_another_user_has_put_into_a_folder_for_everyone",
    ),
    "go on without a `.sops.yaml` of another user": (
        "test_dotenv::test_a_configuration_of_another_user_does_not_stop_a_program",
    ),
    "look for the data key in the other files of the repository": (
        "test_strangers::test_it_gets_no_recipient_who_may_not_open_the_original",
        "test_strangers::test_nor_does_one_that_lists_them_while_somebody_is_removed",
        "test_strangers::test_nor_does_one_that_git_merges",
        "test_command::test_a_copy_of_a_file_that_goes_elsewhere",
        "test_differences::test_updatekeys_copy",
    ),
    "They add such a recipient only if the command line names it": (
        "test_strangers::test_you_can_add_whom_you_name_and_who_may_open_the_original",
    ),
    "so is a value of another file in the place of a proposed one": (
        "test_propose::test_what_a_stranger_can_do_to_a_proposal",
        "test_propose::test_a_value_of_another_file_is_not_accepted",
    ),
    "are never links": (
        "test_links::test_gitattributes",
        "test_links::test_sops_yaml",
        "test_links::test_the_files_of_keys_add_and_remove",
        "test_links::test_shim",
        "test_links::test_units",
        "test_links::test_a_name_that_encconf_makes",
        "test_links::test_a_tree_that_decrypt_makes",
    ),
    "Such a file must not belong to another user either": ("test_links::test_gitattributes_of_another_user",),
    "**A link that leads nowhere**": ("test_links::test_a_name_that_you_type",),
    "Other links that you type are followed": (
        "test_links::test_a_link_to_a_file_that_exists_is_followed_where_you_type_it",
    ),
    "may be links, as in a repository of dotfiles": ("test_links::test_your_own_attributes_may_be_a_link",),
    "a `.sops.yaml` that it finds must be yours": (
        "test_config::test_one_of_another_user_is_refused",
        "test_config::test_no_command_encrypts_by_it",
        "test_config::test_a_link_of_another_user_or_to_another_user_s_file",
    ),
    "the user who called `sudo`": ("test_config::test_those_of_the_user_who_called_sudo_are_yours",),
    "is used if git accepts the repository": (
        "test_config::test_one_of_a_repository_that_git_accepts_is_used",
    ),
    "So encconf refuses a `.sops.yaml` that is spelled in another way": (
        "test_config::test_another_spelling_where_the_file_system_ignores_the_case",
        "test_check::test_a_name_that_is_that_of_the_configuration_elsewhere",
    ),
    "A file that you name (`--config FILE`, `SOPS_CONFIG`) is always used": (
        "test_config::test_one_that_you_name_is_used",
    ),
    "and other relative entries of PATH are skipped": (
        "test_editor::test_no_editor_of_the_current_folder",
        "test_programs::test_no_git_of_the_current_folder",
        "test_programs::test_no_gpg_and_no_key_command_of_the_current_folder",
        "keys/test_age::test_one_of_the_work_tree_or_the_current_folder_does_not_run",
    ),
    "where the system looks in the current folder first": (
        "test_programs::test_none_of_the_current_folder_runs",
    ),
    "even if git ignores the folder": (
        "test_programs::test_its_programs_do_not_run",
        "test_programs::test_links_into_it_and_out_of_it",
        "test_programs::test_no_git_gpg_key_command_or_editor_of_it",
    ),
    "The SDKs of the clouds start the programs of your logins": (
        "test_aws_session::test_the_program_of_a_profile_is_not_run_from_a_work_tree",
        "test_azure::test_no_tool_is_run_from_a_work_tree",
        "test_gcp::test_the_program_of_a_login_is_not_run_from_a_work_tree",
    ),
    "A path with a folder is your choice": ("test_programs::test_what_you_name_with_its_folder_runs",),
    "Two folders of a work tree are trusted all the same": (
        "test_programs::test_the_environment_of_the_running_python_is_trusted",
        "test_programs::test_one_that_contains_your_home_is_trusted",
    ),
    "from any folder of PATH but the current one": (
        "test_programs::test_exec_runs_what_you_name_as_a_shell_does_but_not_from_the_current_folder",
    ),
    "never import Python modules from the current folder": (
        "test_install::test_the_drivers_import_nothing_from_the_work_tree",
    ),
    "they contain the whole path of encconf": (
        "test_install::test_a_path_with_folders_of_the_work_tree_makes_the_drivers_name_the_whole_path",
    ),
    "get no variables with keys that open files": (
        "test_execute::test_what_opens_files_is_not_passed_on",
        "test_differences::test_editor_keys",
        "test_programs::test_git_and_gpg_get_no_master_key",
        "keys/test_age::test_it_gets_no_key_in_its_environment",
    ),
}
"""Words of the page, and the tests that prove them, as FILE::NAME without "tests/" and ".py"."""

OF_SECURITY: dict[str, tuple[str, ...]] = {
    "Each is bound to its place": (
        "test_mac::test_a_moved_ciphertext_is_no_comment_in_a_plain_place",
        "test_mac::test_a_flipped_bit_anywhere_in_a_ciphertext",
    ),
    "`load_config` has no way to skip it": (
        "test_seal::test_the_command_line_and_the_library_refuse_the_same",
    ),
    "replaced completely or not at all": (
        "test_replace::test_a_full_disk_leaves_the_old_file",
        "test_signals::test_a_write_that_is_killed_leaves_the_old_file",
    ),
    "removed in every way a program can end": (
        "test_private::test_it_is_private_and_gone_afterwards",
        "test_private::test_it_goes_with_a_signal",
    ),
    "warns if git tracks the plaintext file": ("test_files::TestGit",),
    "rename the key of an **unencrypted** value": ("test_differences::test_strict_mac",),
    "puts back an older version of the whole file": (
        "test_security_page::test_an_older_version_is_not_noticed",
    ),
    "the next `encrypt` of the file": ("test_reuse::test_someone_added_and_someone_removed",),
}
"""The same for SECURITY.md."""


@pytest.mark.parametrize("words", [*BACKED, *OF_SECURITY])
def test_each_claim_names_its_tests(words: str) -> None:
    page, tests = (PAGE, BACKED[words]) if words in BACKED else (SECURITY, OF_SECURITY[words])
    assert words in " ".join(page.split())
    for test in tests:
        file, _, name = test.partition("::")
        texts = [path.read_text(encoding="utf-8") for path in HERE.rglob(f"{file}.py")]
        assert any(re.search(rf"(?:def|class) {name}\b", text) for text in texts), test


def test_the_table_is_read() -> None:
    table = PAGE[PAGE.index("| what | at most | in the code |") :].partition("\n\n")[0]
    assert len(ROWS) == table.count("\n") - 1 >= 20


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_number_is_the_one_in_the_code(row: tuple[str, str, str, str]) -> None:
    _, number, unit, names = row
    for name in names.split(", "):
        module, _, constant = name.strip("`").rpartition(".")
        found = getattr(import_module(f"encconf.{module}"), constant)
        assert found == int(number.replace(",", "")) * UNITS[unit], name


def test_the_links_to_its_sections_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"(?m)^## (.+)$", PAGE)
    }
    text = PAGE + SECURITY.replace("docs/security.md#", "#")
    links = re.findall(r"\]\(#([a-z0-9-]+)\)", text)
    assert len(links) >= 3
    assert {*links} <= anchors


def test_an_older_layout_record_changes_no_value(age_key: AgeKey) -> None:
    """It may change the layout of the values, but not the values."""
    creds = credentials(age_key)
    first = api.encrypt("a: 0x10\nb: x\n", rule(age_key), credentials=creds)
    second = api.encrypt("a: 0o20\nb: y\n", twin=first, credentials=creds)
    third = api.encrypt("a: 0b10\nb: &x x\nc: 1_0\n", twin=second, credentials=creds)
    texts = [first, second, third]
    layouts = [re.search(r"encconf_layout: (ENC\[.*\])", text) for text in texts]
    assert sum(layout is not None for layout in layouts) == 3
    for text, own in zip(texts, layouts, strict=True):
        for layout in layouts:
            if own is not None and layout is not None:
                swapped = text.replace(own[1], layout[1])
                plain = api.decrypt(swapped, credentials=creds)
                assert api.loads(swapped, credentials=creds) == api.loads(text, credentials=creds)
                again = api.encrypt(plain, rule(age_key), credentials=creds)
                assert api.loads(again, credentials=creds) == api.loads(text, credentials=creds)


def test_a_record_that_no_holder_wrote_is_not_used(age_key: AgeKey) -> None:
    creds = credentials(age_key)
    text = api.encrypt("a:   0x10\n", rule(age_key), credentials=creds)
    layout = re.search(r"encconf_layout: (ENC\[.*\])", text)
    assert layout is not None
    parts = split(layout[1].encode())
    assert parts is not None
    _, data_key, _ = opened(text, "yaml", age_key)
    packed = aes_gcm(data_key).decrypt(parts[1], parts[0], LAYOUT_AAD)
    forged = Encryptor(bytes(32))("bytes", packed, LAYOUT_AAD)
    assert api.decrypt(text.replace(layout[1], forged), credentials=creds) == "a:   16\n"


def test_an_older_version_is_not_noticed(age_key: AgeKey) -> None:
    """As the page says, only git's history shows that somebody restored an older version of a whole file."""
    creds = credentials(age_key)
    first = api.encrypt("a: 1\n", rule(age_key), credentials=creds)
    second = api.encrypt("a: 2\n", twin=first, credentials=creds)
    assert api.loads(second, credentials=creds) == {"a": 2}
    assert api.loads(first, credentials=creds) == {"a": 1}
    mac = re.search(r"mac: (ENC\[.*\])", first)
    newer = re.search(r"mac: (ENC\[.*\])", second)
    assert mac is not None
    assert newer is not None
    with pytest.raises(EncconfError):  # but parts of two versions do not fit together
        api.loads(second.replace(newer[1], mac[1]), credentials=creds)
