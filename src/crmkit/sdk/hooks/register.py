"""Hooks that collect: called once, when a CRM is made. An exception stops the making and names the plugin."""

from collections.abc import Callable, Iterable
from typing import Any

from crmkit.schema import FieldType, Record
from crmkit.sdk.command import Command
from crmkit.sdk.markers import hookspec

__all__ = ["RegisterHooks"]


class RegisterHooks:
    """What a plugin adds to the house."""

    @hookspec
    def crmkit_record_types(self) -> Iterable[type[Record]]:
        """Give record classes declared with ``record_type``.

        Fires once, when a CRM is made. Return an iterable of classes. An exception ends in a PluginError that names
        the plugin.
        """
        raise AssertionError

    @hookspec
    def crmkit_field_types(self) -> Iterable[type[FieldType]]:
        """Give field types that custom fields and record types may use.

        Fires once, when a CRM is made. Return an iterable of classes. An exception ends in a PluginError that names
        the plugin.
        """
        raise AssertionError

    @hookspec
    def crmkit_commands(self) -> Iterable[type[Command[Any]]]:
        """Give commands declared with ``command``.

        Fires once, when a CRM is made. Return an iterable of classes. An exception ends in a PluginError that names
        the plugin.
        """
        raise AssertionError

    @hookspec
    def crmkit_actions(self) -> Iterable[str]:
        """Give actions that grants may name besides the built-in ones (``convert``, ``close``).

        Fires once, when a CRM is made. Return an iterable of keys. An exception ends in a PluginError that names the
        plugin.
        """
        raise AssertionError

    @hookspec
    def crmkit_collections(self) -> Iterable[tuple[str, type[Any]]]:
        """Give classes with further methods for collections: pairs of a record type's key (``*``: all) and a class.

        Fires once, when a CRM is made. Return an iterable of pairs; a class is a subclass of Collection without fields
        of its own, and of several for one type all methods are there. An exception ends in a PluginError that names the
        plugin.
        """
        raise AssertionError

    @hookspec
    def crmkit_session_attributes(self) -> Iterable[tuple[str, Callable[[Any], Any]]]:
        """Give what a session offers besides its collections: pairs of a name and a function of the session.

        Fires once, when a CRM is made. Return an iterable of pairs; the function is called with the session whenever
        the name is asked for, and what it returns is the attribute. An exception ends in a PluginError that names the
        plugin.
        """
        raise AssertionError
