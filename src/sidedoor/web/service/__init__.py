"""What pages and the JSON API both show and do: each thing once, so that the two cannot drift apart.

The values are dataclasses; the API writes them as JSON and describes them in OpenAPI by what stands at their fields.
"""
