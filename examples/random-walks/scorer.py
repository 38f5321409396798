"""How near a walk comes to the shortest one: 1 for a shortest path to the goal, falling to 0 for 10 nodes or more,
for a step along no edge, and for a walk that never arrives."""

from collections import deque

GOAL = "a"
MAX_NODES = 10
edges = {}     # node: the nodes that it leads to
shortest = {}  # node: how many nodes the shortest walk from it to the goal has, both ends counted


def configure(options):
    for word in options["edges"].split():
        edges[word[0]] = word[1:]
    shortest[GOAL] = 1
    queue = deque([GOAL])
    while queue:
        node = queue.popleft()
        for before in (name for name, to in edges.items() if node in to and name not in shortest):
            shortest[before] = shortest[node] + 1
            queue.append(before)


def walk_length(walk):
    """The nodes of the walk up to the goal, or None where it takes a step that is not there or never arrives."""
    for index, node in enumerate(walk):
        if index > 0 and node not in edges[walk[index - 1]]:
            return None
        if node == GOAL:
            return index + 1
    return None


def optimality(walk):
    length = walk_length(walk)
    bound = shortest.get(walk[0], MAX_NODES)
    if length is None or length >= MAX_NODES or bound >= MAX_NODES:
        return 0.0
    return (MAX_NODES - length) / (MAX_NODES - bound)


def score(episodes):
    return [{"score": optimality(walk), "valid": walk_length(walk) is not None}
            for walk in (episode["record"]["input"] + episode["completion"] for episode in episodes)]
