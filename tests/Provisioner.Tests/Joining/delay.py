"""A cable that is long: frames between two interfaces of this namespace arrive some milliseconds later. The kernel here has no netem.

delay.py INTERFACE INTERFACE MILLISECONDS
"""
import heapq
import select
import socket
import sys
import time

delay = float(sys.argv[3]) / 1000
ends = []
for name in sys.argv[1:3]:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    end.bind((name, 0))
    ends.append(end)
waiting = []
count = 0
print("listening", flush=True)
while True:
    while waiting and waiting[0][0] <= time.monotonic():
        _, _, to, frame = heapq.heappop(waiting)
        to.send(frame)
    ready, _, _ = select.select(ends, [], [], max(0.0, waiting[0][0] - time.monotonic()) if waiting else None)
    for end in ready:
        frame, address = end.recvfrom(65536)
        # What this program sent comes by as well.
        if address[2] != socket.PACKET_OUTGOING:
            count += 1
            heapq.heappush(waiting, (time.monotonic() + delay, count, ends[1 - ends.index(end)], frame))
