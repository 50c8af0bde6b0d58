"""What the edge has answered 250 for: on disk before it says so, and there until each recipient is settled."""
