using System.Net;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenIddict.Abstractions;
using Provisioner.Tests.Appliance;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Provisioner.Tests.Auth;

/// <summary>
/// A real identity provider (OpenIddict) on loopback, by HTTPS with a certificate of an authority of its own: discovery, authorization code, PKCE. Whoever
/// comes is who <see cref="Person"/> says.
/// </summary>
internal sealed class IdentityProvider : IAsyncDisposable
{
    public const string ClientId = "provisioner", ClientSecret = "a secret between two programs";

    private readonly TemporaryDirectory directory = new();
    private WebApplication app = null!;

    public string Issuer => app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First().Replace("127.0.0.1", "localhost", StringComparison.Ordinal);

    public string CaFile => directory["idp-ca.pem"];

    public string SecretFile => directory["client-secret"];

    /// <summary>Who signs in next: subject, name, groups. Null: nobody is let in.</summary>
    public (string Subject, string Name, string[] Groups)? Person { get; set; }

    /// <summary>What the last request for a code was protected with.</summary>
    public string? ChallengeMethod { get; private set; }

    public static async Task<IdentityProvider> StartAsync()
    {
        var provider = new IdentityProvider();
        var certificate = provider.MakeCertificates();
        await File.WriteAllTextAsync(provider.SecretFile, ClientSecret + "\n");
        File.SetUnixFileMode(provider.SecretFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        builder.Services.AddOpenIddict().AddServer(server =>
        {
            server.EnableDegradedMode();
            server.SetAuthorizationEndpointUris("connect/authorize").SetTokenEndpointUris("connect/token");
            server.AllowAuthorizationCodeFlow().RequireProofKeyForCodeExchange();
            server.AddEphemeralEncryptionKey().AddEphemeralSigningKey().DisableAccessTokenEncryption();
            server.RegisterScopes(Scopes.Profile);
            server.UseAspNetCore();
            server.AddEventHandler<ValidateAuthorizationRequestContext>(handler => handler.UseInlineHandler(context =>
            {
                provider.ChallengeMethod = context.Request.CodeChallengeMethod;
                if (context.ClientId != ClientId || context.RedirectUri?.EndsWith("/sign-in/oidc/callback", StringComparison.Ordinal) != true)
                    context.Reject(Errors.InvalidClient, "the client is not known");
                return default;
            }));
            server.AddEventHandler<ValidateTokenRequestContext>(handler => handler.UseInlineHandler(context =>
            {
                if (context.ClientId != ClientId || context.ClientSecret != ClientSecret)
                    context.Reject(Errors.InvalidClient, "the client's secret is wrong");
                return default;
            }));
            server.AddEventHandler<HandleAuthorizationRequestContext>(handler => handler.UseInlineHandler(context =>
            {
                if (provider.Person is not { } person)
                {
                    context.Reject(Errors.AccessDenied, "the person said no");
                    return default;
                }
                var identity = new ClaimsIdentity("idp", Claims.Name, Claims.Role);
                identity.AddClaim(new Claim(Claims.Subject, person.Subject));
                identity.AddClaim(new Claim(Claims.PreferredUsername, person.Name));
                foreach (var group in person.Groups)
                    identity.AddClaim(new Claim("groups", group));
                foreach (var claim in identity.Claims)
                    claim.SetDestinations(Destinations.IdentityToken);
                var principal = new ClaimsPrincipal(identity);
                principal.SetScopes(context.Request.GetScopes());
                context.SignIn(principal);
                return default;
            }));
        });
        provider.app = builder.Build();
        provider.app.UseRouting();
        provider.app.UseAuthentication();
        await provider.app.StartAsync();
        return provider;
    }

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        directory.Dispose();
    }

    private X509Certificate2 MakeCertificates()
    {
        var from = TimeProvider.System.GetUtcNow().AddHours(-1);
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authorityRequest = new CertificateRequest("CN=Identity provider's authority", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = authorityRequest.CreateSelfSigned(from, from.AddDays(2));
        File.WriteAllText(CaFile, authority.ExportCertificatePem());
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var signed = request.Create(authority, from, from.AddDays(1), RandomNumberGenerator.GetBytes(8));
        using var withKey = signed.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null);
    }
}
