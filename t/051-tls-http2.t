#!/usr/bin/perl
# Over TLS and HTTP/2 requests have the same answers, with https addresses.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $t = Scim->new(http => <<'EOH', server => <<'EOS');
    scim_store main %%DIR%%/store size=64m;
    server {
        listen 127.0.0.1:%%PORT1%% ssl %%HTTP2%%;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate %%DIR%%/cert.pem;
        ssl_certificate_key %%DIR%%/key.pem;
        client_body_buffer_size 4k;
        client_max_body_size 100k;
        location /scim/v2/ { scim main; }
        location /file/ { scim main; client_body_in_file_only clean; }
        location /public/ { scim main; scim_base_url http://id.example.com/public; }
    }
EOH
    location /scim/v2/ { scim main; }
EOS
is +($t->run('', qw(openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2), '-keyout', "$t->{dir}/key.pem",
    '-out', "$t->{dir}/cert.pem"))[0], 0, 'openssl makes a certificate';
$t->start->served('/scim/v2/Users');
my $token = $t->token($t->tenant('acme'));
my $host = '127.0.0.1:' . $t->port(1);
my $base = "https://$host/scim/v2";
my @auth = ('-H', "Authorization: Bearer $token", '-H', 'Content-Type: application/scim+json');

# Sends one request with curl over HTTP/2, its body from stdin; returns a response like that of Scim::Client, and the
# version.
sub curl {
    my ($input, @args) = @_;
    my ($exit, $out, $err) = $t->run($input, qw(curl -sS -k --http2 -m 30 -D -), '-w', "\n%{http_version}", @args);
    my ($head, $body, $version) = $out =~ /\A(.*?)\r\n\r\n(.*)\n(\S+)\z/s or return { status => 0, error => "$exit $err" };
    my %headers = map { /^([^:]+):\s*(.*?)\r?$/ ? (lc $1, $2) : () } split /\n/, $head;
    my ($status) = $head =~ m{\AHTTP/\S+ (\d+)};
    return { exit => $exit, status => $status, headers => \%headers, body => $body, version => $version,
        json => scalar eval { $Scim::json->decode($body) } };
}

sub json { return $Scim::json->encode(Scim::user(@_)) }

# --- TLS

my $r = $t->request(POST => '/scim/v2/Users', token => $token, port => 1, tls => 1, json => Scim::user('tls'),
    headers => { Host => 'id.example.com:8443' });
is $r->{status}, 201, 'POST over TLS is answered with 201';
my $location = "https://id.example.com:8443/scim/v2/Users/$r->{json}{id}";
is $r->{json}{meta}{location}, $location, 'over TLS meta.location is https with the host of the request';
is $r->{headers}{location}, $location, 'over TLS Location is https with the host of the request';
is $t->request(GET => "/scim/v2/Users/$r->{json}{id}", token => $token)->{json}{meta}{location},
    "http://localhost/scim/v2/Users/$r->{json}{id}", 'without TLS meta.location of the same user is http';
is $t->request(GET => "/public/Users/$r->{json}{id}", token => $token, port => 1, tls => 1)->{json}{meta}{location},
    "http://id.example.com/public/Users/$r->{json}{id}", 'scim_base_url sets meta.location over TLS';

is curl(undef, @auth, "--tls-max", $_, "--tlsv$_", "$base/Users")->{status}, 200, "[S-162 S-214] GET over TLS $_ is answered with 200"
    for qw(1.2 1.3);

# --- HTTP/2

$r = curl('', @auth, '-d', json('ada', displayName => 'x' x 20_000), "$base/Users");
is "$r->{version} $r->{status}", '2 201', 'POST over HTTP/2 is answered with 201' or diag explain $r;
my $id = $r->{json}{id};
is $r->{headers}{location}, "$base/Users/$id", 'Location over HTTP/2 is the URL of the user';
is $r->{json}{meta}{location}, "$base/Users/$id", 'meta.location over HTTP/2 is the URL of the user';
is $r->{headers}{etag}, $r->{json}{meta}{version}, 'ETag over HTTP/2 is meta.version';
my $read = curl('', @auth, "$base/Users/$id");
is_deeply [@$read{qw(version status json)}], [2, 200, $r->{json}], 'GET over HTTP/2 returns the user';
is curl('', @auth, '-H', "If-None-Match: $r->{headers}{etag}", "$base/Users/$id")->{status}, 304,
    'GET over HTTP/2 with the ETag in If-None-Match is answered with 304';

for (['in memory', 10], ['in a file', 50_000]) {
    my ($name, $size) = @$_;
    $r = curl(json("sized $size", displayName => 'y' x $size), @auth, qw(-X POST -T -), "$base/Users");
    is "$r->{version} $r->{status} " . length($r->{json}{displayName} // ''), "2 201 $size",
        "POST over HTTP/2 without Content-Length, its body $name, is answered with 201"
        or diag explain $r;
}

for (
    [401, 'no token', "$base/Users"],
    [404, 'an unknown id', @auth, "$base/Users/none"],
    [400, 'an invalid filter', @auth, "$base/Users?filter=x"],
    [400, 'an invalid body', @auth, '-d', '{', "$base/Users"],
    [409, 'a userName that is taken', @auth, '-d', json('ada'), "$base/Users"],
    [405, 'a method that is not allowed', @auth, qw(-X PUT -d {}), "$base/Users"],
    [413, 'a body that is too large', @auth, '-d', 'x' x 110_000, "$base/Users"],
    [413, 'a body that is too large, without Content-Length', \('x' x 300_000), @auth, qw(-X POST -T -), "$base/Users"],
) {
    my ($status, $name, @args) = @$_;
    $r = curl(ref $args[0] ? ${ shift @args } : '', @args);
    ok $r->{version} == 2 && $r->{status} == $status && ($r->{json}{status} // '') eq $status && length $r->{json}{detail}
        && $r->{headers}{'content-type'} =~ m{^application/scim\+json},
            "a request over HTTP/2 with $name is refused with $status and a SCIM Error" or diag explain $r;
}
$r = curl('', @auth, qw(-I -o /dev/null), "$base/Users/$id");
is "$r->{version} $r->{status} '$r->{body}'", "2 200 ''", 'HEAD over HTTP/2 is answered with 200 and no body';
is $r->{headers}{'content-length'}, $read->{headers}{'content-length'}, 'HEAD over HTTP/2 has the Content-Length of GET';
is curl('', @auth, qw(-X DELETE), "$base/Users/$id")->{status}, 204, 'DELETE over HTTP/2 is answered with 204';
is curl('', @auth, "$base/Users/$id")->{status}, 404, 'GET over HTTP/2 of a deleted user is refused with 404';

# --- a hundred streams on one connection

my $lock = $t->hold_lock;
my $config = join "next\n", map {
    qq(url = "https://$host/file/Users"\ndata = "@{[ json("many$_") =~ s/"/\\"/gr ]}"\nheader = "Authorization: Bearer $token"\n)
        . qq(header = "Content-Type: application/scim+json"\noutput = "$t->{dir}/out.$_"\ninsecure\nhttp2\nsilent\nno-progress-meter\n)
        . qq(write-out = "%{http_version} %{http_code} %{num_connects}\\n"\n)
} 1 .. 100;
my $file = $t->write_file('curl.conf', $config);
my $pid = open my $curl, '-|', 'curl', qw(-sS -m 60 --parallel --parallel-max 100 -K), $file or die "curl: $!";
ok $t->wait_for(sub { $t->bodies == 100 }),
    'the bodies of 100 concurrent streams are read while another process holds the write lock';
$t->release($lock);
my %answers;
my $connections = 0;
while (<$curl>) { my @w = split; $answers{"$w[0] $w[1]"}++; $connections += $w[2] }
is_deeply \%answers, { '2 201' => 100 }, 'POSTs on 100 concurrent streams are answered with 201';
is $connections, 1, 'the 100 streams use one connection';
$r = $t->request(GET => '/scim/v2/Users?count=1000', token => $token)->{json};
is_deeply [sort grep /^many/, map $_->{userName}, @{ $r->{Resources} }], [sort map "many$_", 1 .. 100],
    'POSTs on 100 concurrent streams create 100 users';
my %said = map { my $u = $Scim::json->decode(Scim::_slurp("$t->{dir}/out.$_")); ("many$_", $u->{userName}) } 1 .. 100;
ok !grep($said{$_} ne $_, keys %said), 'each stream has the answer to its request';

my (undef, $load) = $t->run('', qw(h2load -n 300 -c 3 -m 100), @auth, '-d', $t->write_file('one', json('one')), "$base/Users");
my %load = reverse $load =~ /(\d+) ([2-5]xx)/g;
is_deeply \%load, { '2xx' => 1, '3xx' => 0, '4xx' => 299, '5xx' => 0 },
    'of 300 streams that POST the same userName one is answered with 201 and 299 with 409' or diag $load;

$t->finish;
