#!/usr/bin/perl
# One turn of a worker's event loop reads at most 1 MiB of bodies, sends at most 128 responses to writes, and closes no large
# file, whatever the clients send. Bodies that are read in many turns arrive unchanged, in every transfer form.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

BEGIN {
    plan skip_all => 'TEST_TURNS is not set' if !$ENV{TEST_TURNS};
    $ENV{TEST_NGINX_PRELOAD} = join ' ', grep length, $ENV{TEST_NGINX_PRELOAD} // '', $ENV{TEST_TURNS};
}
use Scim;
use Scim::Check;

# Copies of requests go to another nginx. The bytes that it reads are not counted.
my $copies = Scim->new(http => 'client_max_body_size 8m; log_format size $request_length;', server => <<'EOS')->start;
    access_log %%DIR%%/copies size;
    location / { proxy_pass http://127.0.0.1:%%PORT%%/nothing; }
    location = /nothing { access_log off; return 204; }
EOS
my $copy_port = $copies->port;

my $t = Scim->new(main => 'env TEST_TURNS_FILE;', http => <<'EOH', server => <<"EOS");
    scim_store main %%DIR%%/store size=64m;
    client_max_body_size 8m;
    server {
        listen 127.0.0.1:%%PORT1%% ssl %%HTTP2%%;
        ssl_certificate %%DIR%%/cert.pem;
        ssl_certificate_key %%DIR%%/key.pem;
        location /scim/v2/ { scim main; }
    }
EOH
    location /scim/v2/ { scim main; }
    location /impatient/ { scim main; client_body_timeout 1s; lingering_timeout 1s; }
    location /file/ { scim main; client_body_in_file_only clean; }
    location /one-buffer/ { scim main; client_body_buffer_size 9m; }
    location /mirrored/ { scim main; mirror /copy; }
    location = /copy { internal; proxy_pass http://127.0.0.1:$copy_port/; }
EOS
$t->run('', qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 2),
    '-keyout', "$t->{dir}/key.pem", '-out', "$t->{dir}/cert.pem");
my $file = $ENV{TEST_TURNS_FILE} = $t->write_file('turns', pack 'q4', (0) x 4);
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
my ($worker) = $t->workers;

# What one turn did at most, since the last call.
sub turns {
    my %most;
    @most{qw(time read closed responses)} = unpack 'q4', Scim::_slurp($file);
    open my $f, '+<:raw', $file or die "$file: $!";
    syswrite $f, pack 'q4', (0) x 4;
    return \%most;
}
sub is_bounded {
    my ($name, $most) = (@_, turns());
    cmp_ok $most->{read}, '<=', 1.25 * 1024 * 1024, "a turn reads at most 1 MiB of $name";
    return $most;
}
sub closes_little {
    my ($name, $most) = @_;
    return cmp_ok $most->{closed}, '<', 1 << 20, "a turn closes less than 1 MiB of files of $name";
}

# A user of 3 MB. Its displayName follows the attribute that is ignored.
my $users = 0;
sub large {
    my $name = 'user' . ++$users;
    return ($name, qq({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"$name","x":")
        . 'y' x 3_000_000 . qq(","displayName":"The end of $name"}));
}
sub client { return $t->client(token => $token, timeout => 60, @_) }

# Writes until the socket's buffer is full, or everything is written. Returns the number of bytes.
sub fill {
    my ($client, $bytes, $at) = @_;
    for (my $begun = $at; ; ) {
        my $n = syswrite $client->{socket}, $$bytes, 65536, $at;
        return $at - $begun if !$n;
        $at += $n;
    }
}

# Sends one request on each client, all at the same time. Nginx is stopped while the buffers of the sockets are filled, so that
# it finds as many bytes as it can.
sub together {
    my (@pairs) = @_;    # client, bytes of a request
    my %at;
    kill STOP => $worker;
    for (my @left = @pairs; my ($client, $bytes) = splice @left, 0, 2; ) {
        $at{$client} = fill($client, \$bytes, 0);
    }
    kill CONT => $worker;
    my @open = @pairs;
    while (@open) {
        my @next;
        while (my ($client, $bytes) = splice @open, 0, 2) {
            $at{$client} += fill($client, \$bytes, $at{$client});
            push @next, $client, $bytes if $at{$client} < length $bytes;
        }
        @open = @next;
        IO::Select->new(map $open[ 2 * $_ ]{socket}, 0 .. @open / 2 - 1)->can_write(10) or last if @open;
    }
    return;
}

# Creates four users at the same time: four clients, each with a large body.
sub four {
    my ($what, $path, %how) = @_;
    my %client = map { $_ => delete $how{$_} } grep exists $how{$_}, qw(port tls);
    my (@pairs, %name);
    for (1 .. 4) {
        my $client = client(%client);
        $client->connect or die $client->{error};
        my ($name, $body) = large();
        $name{$client} = $name;
        push @pairs, $client, join '', $client->_render(POST => "$path/Users", body => $body, %how);
        push @{ $client->{pending} }, 'POST';
    }
    turns();
    together(@pairs);
    my @answers = map { my $c = $pairs[ 2 * $_ ]; my $r = $c->receive; [$name{$c}, $r, $c] } 0 .. 3;
    is join(' ', map $_->[1]{status}, @answers), '201 201 201 201', "four $what at the same time are answered with 201"
        or diag explain [map $_->[1]{error} // $_->[1]{body}, @answers];
    is join(',', map $_->[1]{json}{displayName} // '', @answers), join(',', map "The end of $_->[0]", @answers),
        "$what are read to their end";
    $_->[2]->close for @answers;
    return is_bounded($what);
}

closes_little 'bodies', four('bodies', '/scim/v2');
closes_little 'bodies in chunks', four('bodies in chunks', '/scim/v2', chunked => 50_000);
four('bodies over TLS', '/scim/v2', tls => 1, port => 1);
four('bodies in chunks over TLS', '/scim/v2', tls => 1, port => 1, chunked => 50_000);
four('bodies with client_body_in_file_only', '/file');
ok $t->wait_for(sub { $t->bodies == 0 }), 'the files of client_body_in_file_only are removed';
four('bodies in one buffer', '/one-buffer');
closes_little 'bodies that are mirrored', four('bodies that are mirrored', '/mirrored');
ok $t->wait_for(sub { 4 == grep $_ > 3_000_000, split /\n/, Scim::_slurp("$copies->{dir}/copies") }), 'four bodies are mirrored';

# --- HTTP/2

turns();
my $config = join "next\n", map {
    my ($name, $body) = large();
    my $data = $t->write_file("body$_", $body);
    qq(url = "https://127.0.0.1:@{[ $t->port(1) ]}/scim/v2/Users"\ndata-binary = "\@$data"\nheader = "Authorization: Bearer $token"\n)
        . qq(header = "Content-Type: application/scim+json"\noutput = "$t->{dir}/out$_"\ninsecure\nhttp2\nno-progress-meter\n)
        . qq(write-out = "%{http_version} %{http_code}\\n"\n)
} 1 .. 4;
my (undef, $out, $err) = $t->run('', 'curl', qw(-sS -m 60 --parallel -K), $t->write_file('curl.conf', $config));
is $out, "2 201\n" x 4, 'four bodies over HTTP/2 at the same time are answered with 201' or diag $err;
is scalar(grep { Scim::_slurp("$t->{dir}/out$_") =~ /"displayName":"The end of/ } 1 .. 4), 4, 'bodies over HTTP/2 are read to their end';
is_bounded('bodies over HTTP/2');

# --- discarded bodies

for (['bodies that are refused', '/scim/v2'], ['bodies that are refused over TLS', '/scim/v2', tls => 1, port => 1],
    ['bodies in chunks that are refused', '/scim/v2', chunked => 50_000]) {
    my ($what, $path, %how) = @$_;
    my %client = map { $_ => delete $how{$_} } grep exists $how{$_}, qw(port tls);
    my @pairs = map {
        my $client = client(%client);
        $client->connect or die $client->{error};
        push @{ $client->{pending} }, 'POST';
        ($client, join '', $client->_render(POST => "$path/Users", body => (large())[1], token => 'wrong', %how));
    } 1 .. 4;
    turns();
    together(@pairs);
    my @clients = @pairs[0, 2, 4, 6];
    is join(' ', map $_->receive->{status}, @clients), '401 401 401 401', "four $what are answered with 401";
    is join(' ', map $_->request(GET => "$path/Users?count=1")->{status}, @clients), '200 200 200 200',
        "after $what the connections are kept";
    is_bounded($what);
}

# --- pipelining, and other ways to send a body

my $client = client();
my @all = $client->pipeline((map [POST => '/scim/v2/Users', body => (large())[1]], 1 .. 2), [GET => '/scim/v2/Users?count=1']);
is join(' ', map $_->{status}, @all), '201 201 200', 'requests in one pipeline with large bodies are answered in order';
is $client->request(POST => '/scim/v2/Users', body => (large())[1], expect => 1)->{status}, 201,
    'a large body after 100 Continue is answered with 201';
is_error client()->request(POST => '/scim/v2/Users', body => (large())[1] x 3, chunked => 50_000), 413, '', qr/client_max_body_size/,
    'a body in chunks that is larger than client_max_body_size is refused with 413';

my $slow = client();
my $bytes = join '', $slow->_render(POST => '/scim/v2/Users', body => (large())[1]);
$slow->connect;
push @{ $slow->{pending} }, 'POST';
for my $piece (unpack '(a200000)*', $bytes) {
    $slow->write($piece);
    $client->request(GET => '/scim/v2/Users?count=1');    # takes a turn
}
is $slow->receive->{status}, 201, 'a body that is sent slowly is answered with 201';

my @cut = map client(), 1 .. 4;
$_->connect for @cut;
together(map { ($_, substr join('', $_->_render(POST => '/scim/v2/Users', body => (large())[1])), 0, 2_000_000) } @cut);
my $whole = client();
$whole->send(POST => '/scim/v2/Users', body => (large())[1]);
for (@cut) {
    setsockopt $_->{socket}, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'ii', 1, 0;    # it closes with a RST
    $_->close;
}
is $whole->receive->{status}, 201, 'a body is answered with 201 while four clients disconnect in the middle of theirs';

my $late = client();
$late->connect;
push @{ $late->{pending} }, 'POST';
$late->write(substr join('', $late->_render(POST => '/impatient/Users', body => (large())[1])), 0, 2_000_000);
is $late->receive->{error}, 'closed', 'the connection of a client that stops sending is closed after client_body_timeout';
closes_little 'bodies that are not read to their end', is_bounded('bodies that are sent in other ways');

# --- responses

ok $client->request(GET => '/scim/v2/Users?count=1')->{status} == 200, 'a read is answered with 200';
my $lock = $t->hold_lock;
push @{ $t->{expect_log} }, qr/must be reopened: its data\.mdb was replaced/;
my @waiting = map { my $c = client(); $c->send(POST => '/file/Users', json => Scim::user("waits$_")); $c } 1 .. 300;
ok $t->wait_for(sub { $t->bodies == 300 }), 'the bodies of 300 writes are read while another process holds the write lock';
turns();
rename "$t->{store}/data.mdb", "$t->{dir}/away" or die $!;
$t->run('', 'cp', '-p', "$t->{dir}/away", "$t->{store}/data.mdb");
ok $t->wait_for(sub { $client->request(GET => '/scim/v2/Users?count=1'); IO::Select->new($waiting[299]{socket})->can_read(0) }),
    'waiting writes are answered when the file of the store is replaced';
$t->release($lock);
my %status;
$status{ $_->receive->{status} }++ for @waiting;
cmp_ok $status{503}, '>=', 256, 'most of 300 writes are refused with 503' or diag explain \%status;
my $most = turns()->{responses};
cmp_ok $most, '<=', 128 + 2, 'a turn sends at most 128 responses to writes';    # and to the reads of this test
cmp_ok $most, '>=', 100, 'a turn sends about as many responses';

is "@{[ $t->workers ]}", $worker, 'the same worker has served all requests';
$copies->quit;
$t->finish;
