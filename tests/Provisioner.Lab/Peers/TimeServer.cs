using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Peers;

/// <summary>A time server of this machine's own time (SNTP, RFC 4330), for a machine that synchronises its clock.</summary>
internal sealed class TimeServer : IAsyncDisposable
{
    private const int Port = 123, Length = 48;

    private readonly Socket socket;
    private readonly CancellationTokenSource stop = new();
    private readonly Task answering;

    public TimeServer(NetworkNamespace on, IPAddress address)
    {
        socket = on.BindDatagram(new IPEndPoint(address, Port));
        answering = AnswerAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await answering;
        socket.Dispose();
        stop.Dispose();
    }

    private async Task AnswerAsync()
    {
        var question = new byte[512];
        try
        {
            while (true)
            {
                var received = await socket.ReceiveFromAsync(question, new IPEndPoint(IPAddress.Any, 0), stop.Token);
                if (received.ReceivedBytes >= Length)
                    await socket.SendToAsync(Answer(question), received.RemoteEndPoint, stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // It was stopped.
        }
    }

    private static byte[] Answer(ReadOnlySpan<byte> question)
    {
        var answer = new byte[Length];
        answer[0] = 4 << 3 | 4; // Version 4, a server; no leap second.
        answer[1] = 1; // A primary one.
        answer[3] = unchecked((byte)-20); // Precise to a microsecond.
        "LAB\0"u8.CopyTo(answer.AsSpan(12));
        question.Slice(40, 8).CopyTo(answer.AsSpan(24));
        foreach (var at in (int[])[16, 32, 40])
        {
            // Seconds since 1900, and 2^-32 of one.
            var since = TimeProvider.System.GetUtcNow() - new DateTimeOffset(1900, 1, 1, 0, 0, 0, TimeSpan.Zero);
            BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(at), unchecked((uint)(since.Ticks / TimeSpan.TicksPerSecond)));
            BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(at + 4), (uint)((since.Ticks % TimeSpan.TicksPerSecond << 32) / TimeSpan.TicksPerSecond));
        }
        return answer;
    }
}
