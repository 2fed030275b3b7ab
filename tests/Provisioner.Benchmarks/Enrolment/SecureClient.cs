using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Provisioner.Benchmarks.Enrolment;

/// <summary>
/// Asks one thing and hangs up, as a host's curl does: a new connection, a whole TLS handshake that trusts the pinned authority alone,
/// HTTP/1.1. Written on the stream itself, so that the load takes as little as it can of the cores it shares with the service.
/// </summary>
internal sealed class SecureClient
{
    private readonly IPEndPoint server;
    private readonly SslClientAuthenticationOptions options;

    /// <param name="authority">Null to trust anybody, for the first question: which authority it is.</param>
    public SecureClient(int port, X509Certificate2? authority)
    {
        server = new IPEndPoint(IPAddress.Loopback, port);
        options = new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            ApplicationProtocols = [SslApplicationProtocol.Http11],
            // A host comes for the first time and has no session to resume.
            AllowTlsResume = false,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        };
        if (authority is null)
        {
#pragma warning disable CA5359 // What the authority is has to be asked of somebody; nothing is sent to it.
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else
        {
            options.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true,
            };
            options.CertificateChainPolicy.CustomTrustStore.Add(authority);
        }
    }

    /// <summary>The body of the answer.</summary>
    /// <exception cref="IOException">The answer is not 200, or is cut short.</exception>
    public async Task<byte[]> AskAsync(ReadOnlyMemory<byte> message)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server);
        await using var stream = new SslStream(new NetworkStream(socket));
        await stream.AuthenticateAsClientAsync(options);
        await stream.WriteAsync(message);
        var buffer = new byte[8192];
        var (length, head) = (0, -1);
        while (head < 0)
        {
            length += await ReadAsync(stream, buffer.AsMemory(length));
            head = buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
        }
        var lines = Encoding.ASCII.GetString(buffer, 0, head).Split("\r\n");
        var field = lines.FirstOrDefault(line => line.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase)) ?? throw new IOException($"no length: {lines[0]}");
        var end = head + 4 + int.Parse(field.AsSpan("Content-Length: ".Length), CultureInfo.InvariantCulture);
        while (length < end)
            length += await ReadAsync(stream, buffer.AsMemory(length));
        var body = buffer[(head + 4)..end];
        return lines[0].StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal) ? body : throw new IOException($"{lines[0]}: {Encoding.UTF8.GetString(body)}");
    }

    private static async Task<int> ReadAsync(SslStream stream, Memory<byte> into)
    {
        var read = await stream.ReadAsync(into);
        return read > 0 ? read : throw new IOException("the answer is cut short");
    }
}
