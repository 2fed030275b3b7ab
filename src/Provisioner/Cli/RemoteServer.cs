using System.CommandLine;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Provisioner.Certificates;

namespace Provisioner.Cli;

/// <summary>The options with which every command asks an appliance elsewhere.</summary>
internal sealed class RemoteOptions
{
    public const string ServerVariable = "PROVISIONER_SERVER", TokenVariable = "PROVISIONER_TOKEN", TokenFileVariable = "PROVISIONER_TOKEN_FILE", CaVariable = "PROVISIONER_CA";

    public Option<string?> Server { get; } = new("--server") { Description = $"An appliance elsewhere, instead of the socket; also by {ServerVariable}.", HelpName = "https://HOST:8443", Recursive = true };

    public Option<string?> Token { get; } = new("--token") { Description = $"The token to ask it with; better by {TokenVariable} or --token-file, since others on this machine see what a command is started with.", HelpName = "TOKEN", Recursive = true };

    public Option<string?> TokenFile { get; } = new("--token-file") { Description = $"A file that holds the token; also by {TokenFileVariable}.", HelpName = "FILE", Recursive = true };

    public Option<string?> Ca { get; } = new("--ca") { Description = $"The appliance's CA certificate (http://HOST:8080/ca.pem), which alone is trusted then; also by {CaVariable}.", HelpName = "FILE", Recursive = true };

    /// <summary>Null for the socket of this machine.</summary>
    /// <param name="socketSaid">A socket was named on the command line: it counts more than the environment.</param>
    /// <exception cref="CommandFailedException">Something is missing or wrong.</exception>
    public RemoteServer? Read(ParseResult parsed, bool socketSaid)
    {
        var said = parsed.GetValue(Server);
        if (said is not null && socketSaid)
            throw new CommandFailedException(["--server and --socket name two appliances: give one of them."], CommandLine.WrongUsage);
        if ((said ?? (socketSaid ? null : Variable(ServerVariable))) is not { } server)
        {
            if (parsed.GetValue(Token) is not null || parsed.GetValue(TokenFile) is not null || parsed.GetValue(Ca) is not null)
                throw new CommandFailedException(["--token, --token-file and --ca are for an appliance elsewhere: name it with --server https://HOST:8443."], CommandLine.WrongUsage);
            return null;
        }
        if (!Uri.TryCreate(server, UriKind.Absolute, out var address) || address.Scheme != Uri.UriSchemeHttps || address.PathAndQuery != "/" || address.UserInfo.Length > 0)
            throw new CommandFailedException([$"'{server}' is not an appliance's address. Expected: https://HOST:8443, without a path."], CommandLine.WrongUsage);
        var token = parsed.GetValue(Token) ?? (parsed.GetValue(TokenFile) is { } file ? ReadToken(file) : null)
            ?? Variable(TokenVariable) ?? (Variable(TokenFileVariable) is { } other ? ReadToken(other) : null)
            ?? throw new CommandFailedException([$"a token is needed to ask {address.Host}: set {TokenVariable}, or give --token-file FILE. 'provisioner token create NAME --role ROLE' on the appliance makes one."], CommandLine.WrongUsage);
        return new RemoteServer(address, token, (parsed.GetValue(Ca) ?? Variable(CaVariable)) is { } ca ? ReadCa(ca) : null);
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static string ReadToken(string file)
    {
        try
        {
            return File.ReadAllText(file).Trim() is { Length: > 0 } token ? token : throw new CommandFailedException($"'{file}' holds no token.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException($"the token cannot be read: {exception.Message}");
        }
    }

    private static X509Certificate2Collection ReadCa(string file)
    {
        var trusted = new X509Certificate2Collection();
        try
        {
            trusted.ImportFromPemFile(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CommandFailedException($"the CA certificate '{file}' cannot be read: {exception.Message}");
        }
        return trusted.Count > 0 ? trusted : throw new CommandFailedException($"'{file}' holds no certificate: it is to be PEM, as http://HOST:8080/ca.pem gives it.");
    }
}

/// <summary>An appliance elsewhere.</summary>
/// <param name="Trusted">The only authorities that count; null for those of this machine.</param>
internal sealed record RemoteServer(Uri Address, string Token, X509Certificate2Collection? Trusted)
{
    public HttpClient CreateClient()
    {
        var tls = new SslClientAuthenticationOptions();
        if (Trusted is not null)
            tls.CertificateChainPolicy = TrustOnly.These(Trusted);
        // No redirect is followed: the token would go with it.
        return new HttpClient(new SocketsHttpHandler { SslOptions = tls, AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(15) })
        {
            BaseAddress = new Uri(Address, "/api/v1/"),
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Token) },
        };
    }

    public string Explain(Exception cause) => cause switch
    {
        AuthenticationException when Trusted is null => $"{Address.Authority} shows a certificate that this machine does not trust: {cause.Message} Give the appliance's own CA with --ca FILE; fetch it over a way you trust, from http://{Address.Host}:8080/ca.pem or by 'provisioner ca show' on the appliance.",
        AuthenticationException => $"{Address.Authority} does not show a certificate of the given CA and for this name: {cause.Message}",
        SocketException => $"nobody answers at {Address.Authority}: {cause.Message}",
        _ => $"the connection to {Address.Authority} broke: {cause.Message}",
    };
}
