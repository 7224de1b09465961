"""Whom is asked: an endpoint that speaks the chat-completions protocol, or a provider on the Hub."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

from huggingface_hub import InferenceClient, constants, get_session
from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError, OfflineModeIsEnabled

from .limits import Halt, Usage
from .prompts import Schema
from .protocols import Message
from .store import Reply

_STOPS = {
    401: "It does not accept the token: check the variable that --token-env names, or log in with hf auth login.",
    402: "It asks to be paid: check the account.",
    403: "It does not admit the token to this model.",
    404: "It has no such model, or no chat completions at this address: check --model and --base-url.",
}
_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
_BYTES_PER_TOKEN = 3.6


class Transient(Exception):
    """No answer came, and one may come later.

    Args:
        reason: what reports count it under.
        retry_after: after how many seconds the endpoint asks to be asked again.
        is_limit: whether it has had too many requests.
    """

    def __init__(self, reason: str, retry_after: float | None = None, is_limit: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_limit = is_limit


class Refused(Exception):
    """This request will never be answered, such as one that is too long for the model."""


class Client(Protocol):
    """Whom is asked.

    Attributes:
        model: its name.
    """

    model: str

    def complete(self, messages: Sequence[Message], schema: Schema, max_tokens: int) -> Reply:
        """The answer to a conversation.

        Args:
            messages: the conversation.
            schema: the JSON schema of the answer, for those that can be held to it.
            max_tokens: how long the answer may become.

        Raises:
            Transient, Refused, Halt: when there is none.
        """
        ...


def count_roughly(messages: Sequence[Message]) -> int:
    """About how many tokens a conversation takes, before anybody has counted them: 3.6 bytes each."""
    return sum(4 + int(len(message["content"].encode("utf-8", "replace")) / _BYTES_PER_TOKEN) for message in messages)


def read_token(variable: str | None) -> str | None:
    """The token in a variable of the environment.

    Raises:
        ValueError: when it is not set.
    """
    if variable is None:
        return None
    token = os.environ.get(variable, "").strip()
    if not token:
        raise ValueError(f"--token-env names {variable}, which is not set. Set it to the token of the endpoint.")
    return token


@dataclass(frozen=True)
class _Dialect:
    """How an endpoint wants requests to be written, as far as is known."""

    form: str | None = "json_schema"
    length: str = "max_tokens"
    has_temperature: bool = True
    has_seed: bool = True


def _json_schema(schema: object) -> dict[str, Any]:
    """A schema as OpenAI's protocol has it."""
    return {"type": "json_schema", "json_schema": {"name": "annotation", "schema": schema, "strict": True}}


class _OpenAIClient(InferenceClient):
    """A client that sends a schema as it was given.

    Where it knows an address and no provider, huggingface_hub writes it in the form of its own servers,
    `{"type": "json_object", "value": …}`, which vLLM reads without the schema and OpenAI refuses.
    """

    def _inner_post(self, request_parameters: Any, *, stream: bool = False) -> Any:  # noqa: ANN401  # as there
        form = (request_parameters.json or {}).get("response_format")
        if isinstance(form, Mapping) and "value" in form:
            request_parameters.json["response_format"] = _json_schema(form["value"])
        return super()._inner_post(request_parameters, stream=stream)


class Endpoint:
    """An endpoint, asked through `huggingface_hub.InferenceClient`. Thread-safe.

    An endpoint that refuses a field of the request (a schema, `max_tokens`, a temperature) is asked without it from
    then on, which is said once.

    Args:
        model: its name there.
        base_url: the address of an OpenAI-compatible endpoint, up to and with its `/v1`; `None` for the Hub.
        provider: of the Hub, such as `together`; by default the one that the Hub chooses.
        token: for the endpoint. Without one, the Hub is sent the token that is logged in, and an address none.
        timeout: seconds after which no answer is expected any more.
        temperature: 0 for the likeliest answer.
        seed: for endpoints that have one.
        extra: further fields of the request.
        note: is told what users should know.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        provider: str | None = None,
        token: str | None = None,
        timeout: float = 120.0,
        temperature: float = 0.0,
        seed: int | None = None,
        extra: Mapping[str, Any] | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.model = model
        self._temperature, self._seed, self._extra = temperature, seed, dict(extra or {})
        self._note = note
        self._dialect = _Dialect(has_seed=seed is not None)
        self._lock = threading.Lock()
        self._token = token
        self._base_url = base_url
        if base_url is None:
            self._client = InferenceClient(provider=provider, token=token, timeout=timeout)  # type: ignore[arg-type]
            return
        # Else the token of the Hub would be sent to whatever address this is.
        headers: dict[str, Any] = {"authorization": None} if token is None else {}
        self._client = _OpenAIClient(base_url=base_url, api_key=token, timeout=timeout, headers=headers)
        _admit(base_url)

    def complete(self, messages: Sequence[Message], schema: Schema, max_tokens: int) -> Reply:
        while True:
            dialect = self._dialect
            try:
                output = self._client.chat_completion(
                    messages=list(messages), model=self.model, extra_body=self._body(dialect, schema, max_tokens)
                )
                return _read_output(output, messages)
            except OfflineModeIsEnabled as error:
                raise Halt(
                    "HF_HUB_OFFLINE is set, and the Hub is asked: unset it, or name an endpoint with --base-url."
                    if self._base_url is None
                    else f"HF_HUB_OFFLINE is set, and {self._base_url} sends requests on to another address: name "
                    "that one with --base-url, or unset it."
                ) from error
            except HfHubHTTPError as error:
                self._adapt_or_raise(error, dialect)
            except InferenceTimeoutError as error:
                raise Transient("no answer in time") from error
            except _lost_connection() as error:
                raise Transient(f"connection lost ({type(error).__name__})") from error
            except (
                UnicodeDecodeError,
                json.JSONDecodeError,
                TypeError,
                KeyError,
                IndexError,
                AttributeError,
            ) as error:
                raise Transient("a response that is none of the protocol") from error
            except ValueError as error:  # of huggingface_hub, before anything is sent: no token, or no such provider
                raise Halt(str(error)) from error

    def _body(self, dialect: _Dialect, schema: Schema, max_tokens: int) -> dict[str, Any]:
        """The fields of a request besides the conversation."""
        body: dict[str, Any] = {dialect.length: max_tokens}
        if dialect.has_temperature:
            body["temperature"] = self._temperature
        if dialect.has_seed:
            body["seed"] = self._seed
        if dialect.form == "json_schema":
            body["response_format"] = _json_schema(schema)
        elif dialect.form is not None:
            body["response_format"] = {"type": dialect.form}
        return body | self._extra

    def _adapt_or_raise(self, error: HfHubHTTPError, dialect: _Dialect) -> None:
        """Returns if the request can be sent in another dialect.

        Raises:
            Transient, Refused, Halt: otherwise.
        """
        status = error.response.status_code
        said = _said(error)
        if self._token:
            said = said.replace(self._token, "…")  # some endpoints repeat what they do not accept
        if status in (400, 422, 500, 501) and (other := _without(dialect, said)) is not None:
            with self._lock:
                if self._dialect == dialect:  # else another request has adapted it already
                    self._dialect = other
                    self._note(f"The endpoint refuses a part of the request, which is left out from now on: {said}")
            return
        _raise(status, said, error)


def _lost_connection() -> type[Exception]:
    """`HTTPError` of the httpx that huggingface_hub uses, a package whose name differs between its versions."""
    return next(
        kind for kind in InferenceTimeoutError.__mro__ if kind.__name__ == "HTTPError" and issubclass(kind, Exception)
    )


def _without(dialect: _Dialect, said: str) -> _Dialect | None:
    """The dialect without what an endpoint complains of, if it names it."""
    said = said.lower()
    about_form = any(word in said for word in ("response_format", "json_schema", "json_object", "grammar", "guided"))
    if about_form and dialect.form is not None:
        return replace(dialect, form={"json_schema": "json_object"}.get(dialect.form))
    if "max_tokens" in said and "max_completion_tokens" in said and dialect.length == "max_tokens":
        return replace(dialect, length="max_completion_tokens")
    if "temperature" in said and dialect.has_temperature:
        return replace(dialect, has_temperature=False)
    if "seed" in said and dialect.has_seed:
        return replace(dialect, has_seed=False)
    return None


def _raise(status: int, said: str, error: HfHubHTTPError) -> NoReturn:
    if status in _STOPS:
        raise Halt(f"The endpoint answers HTTP {status}: {said} {_STOPS[status]}") from error
    if status in _PASSING or status >= 500:
        after = read_retry_after(error.response.headers)
        raise Transient(f"HTTP {status}", after, is_limit=status == 429) from error
    raise Refused(f"HTTP {status}: {said}") from error


def _said(error: HfHubHTTPError) -> str:
    """What an endpoint says is wrong, in one line."""
    text = " ".join((error.response.text or error.server_message or "").split())
    return text[:300] or f"HTTP {error.response.status_code}"


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """After how many seconds an endpoint asks to be asked again: `retry-after-ms`, or `retry-after` (also a date)."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        given = headers.get("retry-after")
        if not given:
            return None
        if given.strip().replace(".", "", 1).isdigit():
            return float(given)
        return max(0.0, (parsedate_to_datetime(given) - datetime.now(timezone.utc)).total_seconds())
    except (ValueError, TypeError):
        return None


def _read_output(output: Any, messages: Sequence[Message]) -> Reply:  # noqa: ANN401  # a class of huggingface_hub
    choice = output.choices[0]
    text = choice.message.content or ""
    if not isinstance(text, str):
        raise TypeError
    given = output.usage
    if given is not None and isinstance(given.prompt_tokens, int) and isinstance(given.completion_tokens, int):
        usage = Usage(given.prompt_tokens, given.completion_tokens)
    else:
        usage = Usage(count_roughly(messages), count_roughly([{"content": text}]), is_estimated=True)
    return Reply(text, str(choice.finish_reason or ""), usage)


def _admit(base_url: str) -> None:
    """Lets requests to an address pass where HF_HUB_OFFLINE keeps huggingface_hub from the Hub, and to it alone."""
    if not constants.HF_HUB_OFFLINE:
        return
    hooks = get_session().event_hooks
    place = urlsplit(base_url).netloc.rpartition("@")[2]

    def unless_there(hook: Callable[[Any], object]) -> Callable[[Any], object]:
        return lambda request: None if request.url.netloc.decode() == place else hook(request)

    get_session().event_hooks = {**hooks, "request": [unless_there(hook) for hook in hooks["request"]]}
