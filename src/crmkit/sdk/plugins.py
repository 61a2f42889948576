"""The plugins of one CRM: found, named, called, and blamed by name when they fail."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from traceback import format_exception_only
from types import MappingProxyType
from typing import Any

import pluggy

from crmkit.errors import CrmkitError, PluginError
from crmkit.sdk.change import Change, Create, Delete, Update, Veto
from crmkit.sdk.definitions import Refusal
from crmkit.sdk.hooks.changes import ChangeHooks
from crmkit.sdk.hooks.definitions import DefinitionHooks
from crmkit.sdk.hooks.operations import OperationHooks
from crmkit.sdk.hooks.register import RegisterHooks
from crmkit.sdk.hooks.segments import SegmentHooks
from crmkit.sdk.markers import PROJECT
from crmkit.values.text import shown

__all__ = ["Plugins", "blamed", "checked_answers", "checked_follow_up", "checked_refusals"]


class Plugins:
    """A plugin manager that belongs to one CRM; nothing is global.

    ``plugins`` are objects, modules, or dotted names of modules. ``installed`` also takes those that distributions
    announce under the entry point group ``crmkit``. The ``builtin`` ones come last, so that whatever others amend is
    held to their rules.
    """

    def __init__(self, plugins: Iterable[object], *, builtin: Iterable[object] = (), installed: bool = False) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        for hooks in (RegisterHooks, ChangeHooks, DefinitionHooks, OperationHooks, SegmentHooks):
            self._manager.add_hookspecs(hooks)
        for plugin in plugins:
            self._register(_loaded(plugin))
        if installed:
            for entry in sorted(entry_points(group=PROJECT)):
                self._register(entry.load(), entry.name)
        for plugin in builtin:
            self._register(_loaded(plugin))

    def _register(self, plugin: object, name: str | None = None) -> None:
        name = name or getattr(plugin, "name", None) or getattr(plugin, "__name__", None) or type(plugin).__name__
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            raise PluginError(f"plugin {name!r} cannot be registered: {error}", code="bad_plugin") from error
        for caller in self._manager.get_hookcallers(plugin) or ():
            if any(impl.wrapper or impl.hookwrapper for impl in caller.get_hookimpls() if impl.plugin is plugin):
                raise PluginError(f"plugin {name!r} wraps {caller.name}, and hooks are not wrapped", code="bad_plugin")
        for hook in vars(self._manager.hook):
            method = getattr(plugin, hook, None)
            if callable(method) and self._manager.parse_hookimpl_opts(plugin, hook) is None:
                raise PluginError(f"plugin {name!r}: {hook} is not marked with @hookimpl", code="bad_plugin")

    @property
    def names(self) -> tuple[str, ...]:
        """The plugins by name, in order of registration."""
        return tuple(name for name, _ in self._manager.list_name_plugin())

    def implementing(self, hook: str) -> tuple[str, ...]:
        """The names of the plugins that implement a hook, in the order in which they are called."""
        return tuple(impl.plugin_name for impl in self._implementations(hook))

    def _implementations(self, hook: str) -> Iterator[Any]:
        # pluggy lists hooks in the order of registration, and would call them in the reverse.
        return iter(sorted(getattr(self._manager.hook, hook).get_hookimpls(), key=lambda i: i.trylast - i.tryfirst))

    def listening(self, hook: str, type_key: str) -> tuple[str, ...]:
        """The plugins that implement a hook and listen to a record type.

        A plugin that names record types in ``listens_to`` is asked about those only; one that names none, about all.
        """
        return tuple(
            impl.plugin_name
            for impl in self._implementations(hook)
            if type_key in _listens_to(impl.plugin, hook, type_key)
        )

    def concerned(self, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a plugin could have anything to say if many records got these values; it says so in ``concerned``.

        A plugin that does not is asked about each record. Raises PluginError.
        """
        ask = getattr(self._manager.get_plugin(name), "concerned", None)
        try:
            return True if ask is None else bool(ask(MappingProxyType(dict(values))))
        except CrmkitError:
            raise
        except Exception as error:
            raise blamed(name, "concerned", error) from error

    def role(self, name: str) -> str | None:
        """The name of the role a plugin acts in (its ``role``); without one it may only listen."""
        return getattr(self._manager.get_plugin(name), "role", None)

    def ask(self, name: str, hook: str, **arguments: Any) -> Any:
        """The answer of one plugin. Raises PluginError."""
        return next((answer for _, answer in self._called([name], hook, arguments)), None)

    def gather(self, name: str, hook: str, **arguments: Any) -> tuple[Any, ...]:
        """What one plugin gives, all of it. Raises PluginError."""
        return _items(name, hook, self.ask(name, hook, **arguments))

    def collect(self, hook: str) -> list[Any]:
        """What all plugins give, in one list. Raises PluginError."""
        return [item for name, given in self._called(self.names, hook, {}) for item in _items(name, hook, given)]

    def _called(self, names: Iterable[str], hook: str, arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Calls these plugins in the order of registration; yields the name of each and its answer.

        An error of crmkit passes through; any other becomes a PluginError that names the plugin.
        """
        wanted = frozenset(names)
        for impl in self._implementations(hook):
            if impl.plugin_name not in wanted:
                continue
            try:
                answer = impl.function(*(arguments[name] for name in impl.argnames))
            except CrmkitError:
                raise
            except Exception as error:
                raise blamed(impl.plugin_name, hook, error) from error
            yield impl.plugin_name, answer


def _listens_to(plugin: object, hook: str, type_key: str) -> Iterable[str]:
    """The record types to which a plugin listens with a hook."""
    types: Iterable[str] | Mapping[str, Iterable[str]] = getattr(plugin, "listens_to", (type_key,))
    return types.get(hook, ()) if isinstance(types, Mapping) else types


def blamed(plugin: str, hook: str, error: Exception) -> PluginError:
    """The one place where an exception is laid at a plugin's door."""
    words = "".join(format_exception_only(error)).strip()  # also of an error whose own words fail
    return PluginError(f"plugin {plugin!r} failed in {hook}: {words}", code="plugin_failed")


def _items(plugin: str, hook: str, given: Any) -> tuple[Any, ...]:
    """What a plugin gave, some of which may only be made while it is read. Raises PluginError."""
    try:
        return tuple(given or ())
    except CrmkitError:
        raise
    except Exception as error:
        raise blamed(plugin, hook, error) from error


def checked_answers(plugin: str, changes: Sequence[Change], answer: Any) -> tuple[Change | Veto, ...]:
    """What a plugin answered to these changes.

    Raises PluginError for anything but changes and vetoes of theirs, and for two amendments of one: each tells of all
    fields, so that of both together nobody can say what is meant.
    """
    hook = "crmkit_before_change"
    answers = _items(plugin, hook, answer)
    rows = {change.row for change in changes}
    amended: set[int] = set()
    for given in answers:
        if not isinstance(given, Change | Veto):
            raise blamed(plugin, hook, TypeError(f"{shown(given)} is neither a change nor a veto"))
        if given.row not in rows:
            raise blamed(plugin, hook, LookupError(f"row {given.row} is none of the batch"))
        if isinstance(given, Change):
            if given.row in amended:
                raise blamed(plugin, hook, ValueError(f"row {given.row} is amended twice: amend the amended change"))
            amended.add(given.row)
    return answers


def checked_follow_up(plugin: str, answers: Sequence[Any]) -> tuple[Create | Update | Delete, ...]:
    """What a plugin wants to be written with changes. Raises PluginError for anything else."""
    for given in answers:
        if not isinstance(given, Create | Update | Delete):
            error = TypeError(f"{shown(given)} is neither a Create nor an Update nor a Delete")
            raise blamed(plugin, "crmkit_follow_up", error)
    return tuple(answers)


def checked_refusals(plugin: str, changes: Sequence[Change], answers: Sequence[Any]) -> tuple[Refusal, ...]:
    """The changes that a plugin refuses. Raises PluginError for anything else."""
    rows = {change.row for change in changes}
    for given in answers:
        if not isinstance(given, Refusal) or given.row not in rows:
            raise blamed(plugin, "crmkit_check", TypeError(f"{shown(given)} refuses none of the changes"))
    return tuple(answers)


def _loaded(plugin: object) -> object:
    if not isinstance(plugin, str):
        return plugin
    try:
        return import_module(plugin)
    except ImportError as error:
        raise PluginError(f"plugin {plugin!r} cannot be imported: {error}", code="bad_plugin") from error
