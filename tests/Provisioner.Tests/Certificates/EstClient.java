import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.est.CACertsResponse;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTException;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.jcajce.JcaHttpAuthBuilder;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/**
 * A host that speaks EST by BouncyCastle's client. On standard input, a line each: the server (host:port), the file with its authority, the
 * TLS version, the host's name, the Installation, its token. Says on standard output, a line each, what it was given.
 */
public final class EstClient {
    private static final char[] NONE = new char[0];

    private static String server;
    private static String tls;
    private static X509Certificate authority;

    public static void main(String[] arguments) throws Exception {
        // What its trust manager verifies chains with.
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        server = input.readLine();
        try (FileInputStream file = new FileInputStream(input.readLine())) {
            authority = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(file);
        }
        tls = input.readLine();
        String name = input.readLine();
        String installation = input.readLine();
        String token = input.readLine();

        CACertsResponse authorities = connect(null, null).getCACerts();
        say("trusted", String.valueOf(authorities.isTrusted()));
        for (X509CertificateHolder one : ESTService.storeToArray(authorities.getCertificateStore())) {
            say("authority", one.getEncoded());
        }
        for (ASN1ObjectIdentifier wanted : connect(null, null).getCSRAttributes().getAttributesResponse().getRequirements()) {
            say("attribute", wanted.getId());
        }

        KeyPair key = newKey();
        try {
            enrol(connect(null, null), false, name, key, new JcaHttpAuthBuilder(null, installation, "not-the-token".toCharArray()).build());
            say("wrong-token", "taken");
        } catch (ESTException refused) {
            say("wrong-token", String.valueOf(refused.getStatusCode()));
        }
        X509Certificate first = enrol(connect(null, null), false, name, key, new JcaHttpAuthBuilder(null, installation, token.toCharArray()).build());
        say("enrolled", first.getEncoded());
        X509Certificate second = enrol(connect(first, key), true, name, key, null);
        say("renewed", second.getEncoded());
        KeyPair another = newKey();
        say("rekeyed", enrol(connect(second, key), true, name, another, null).getEncoded());
        say("another", another.getPublic().getEncoded());
    }

    private static ESTService connect(X509Certificate certificate, KeyPair key) throws Exception {
        JsseESTServiceBuilder builder = new JsseESTServiceBuilder(server, JcaJceUtils.getCertPathTrustManager(Set.of(new TrustAnchor(authority, null)), null));
        builder.withTLSVersion(tls).withTimeout(20_000);
        if (certificate != null) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, NONE);
            store.setKeyEntry("host", key.getPrivate(), NONE, new Certificate[] {certificate});
            KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            managers.init(store, NONE);
            builder.withKeyManagers(managers.getKeyManagers());
        }
        return builder.build();
    }

    private static X509Certificate enrol(ESTService service, boolean again, String name, KeyPair key, ESTAuth as) throws Exception {
        // RFC 7030, section 4.2.2: a renewal names what the certificate names.
        ExtensionsGenerator extensions = new ExtensionsGenerator();
        extensions.addExtension(Extension.subjectAlternativeName, false, new GeneralNames(new GeneralName(GeneralName.dNSName, name)));
        PKCS10CertificationRequest request = new JcaPKCS10CertificationRequestBuilder(new X500Name("CN=" + name), key.getPublic())
            .addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, extensions.generate())
            .build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate()));
        EnrollmentResponse answer = service.simpleEnroll(again, request, as);
        if (!answer.isCompleted()) {
            throw new IllegalStateException("put off");
        }
        X509CertificateHolder[] certificates = ESTService.storeToArray(answer.getStore());
        if (certificates.length != 1) {
            throw new IllegalStateException(certificates.length + " certificates");
        }
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(certificates[0].getEncoded()));
    }

    private static KeyPair newKey() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }

    private static void say(String what, byte[] der) {
        say(what, Base64.getEncoder().encodeToString(der));
    }

    private static void say(String what, String value) {
        System.out.println(what + " " + value);
    }
}
